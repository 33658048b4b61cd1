/* SPDX-License-Identifier: LGPL-2.1-only */
/* A tree that runs, and its descriptors. */
#include "kern/proc/running.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/pool.h"
#include "base/table.h"
#include "base/text.h"
#include "base/vector.h"
#include "kern/proc/file-iter.h"
#include "kern/task-iter.h"
#include "kern/proc/children.h"
#include "kern/proc/proc.h"

#define TASKS_MAX (1u << 20) /* a tree may grow as fast as it is walked */
#define TRIES_MIN 16	     /* numbers of descriptors */

static void add_children(int proc, const struct proc_pids *threads, struct proc_pids *all)
{
	for (size_t i = 0; i < threads->n; i++)
		(void)proc_children_add(proc, threads->items[i], all); /* it may have ended */
}

/* Whose child a process is; the parent is a main thread, as in the facts. */
struct kinship {
	uint64_t parent;
	pid_t child;
};

struct kinships {
	struct kinship *items;
	size_t n, capacity;
};

static int compare_kinship(const void *a, const void *b)
{
	const struct kinship *left = a, *right = b;

	if (left->parent != right->parent)
		return left->parent < right->parent ? -1 : 1;
	return (left->child > right->child) - (left->child < right->child);
}

static void find_kinships(const struct task_facts_list *facts, struct kinships *ret)
{
	struct table *tasks = table_create();

	for (size_t i = 0; i < facts->n; i++)
		table_set(tasks, facts->items[i].task, &facts->items[i]);
	for (size_t i = 0; i < facts->n; i++) {
		const struct task_facts *child = &facts->items[i], *parent = table_find(tasks, child->parent);

		if (parent && child->task == child->leader)
			*vector_push(ret) = (struct kinship){ parent->leader, child->tid };
	}
	table_destroy(&tasks);
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), compare_kinship);
}

static void add_told_children(const struct kinships *kinships, uint64_t parent, struct proc_pids *all)
{
	size_t low = 0, high = kinships->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (kinships->items[middle].parent < parent)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < kinships->n && kinships->items[low].parent == parent; low++)
		*vector_push(all) = kinships->items[low].child;
}

/* All that are below those from this one on, by what the kernel tells of all at once. False: it does not. */
static bool add_descendants(struct task_iter *iter, size_t from, struct task_facts_list *facts, struct proc_pids *all)
{
	struct kinships kinships = { 0 };

	if (!task_iter_prepare(iter) || !task_iter_read(iter, 0, facts))
		return false;
	find_kinships(facts, &kinships);
	for (size_t i = from; i < all->n && all->n < TASKS_MAX; i++) {
		const struct task_facts *known = task_facts_find(facts, all->items[i]);

		if (known)
			add_told_children(&kinships, known->leader, all);
	}
	vector_done(&kinships);
	return true;
}

void running_visit_tree(pid_t root, struct task_iter *iter, struct file_iter *files,
			bool (*visit)(void *arg, pid_t pid, int proc), void *arg)
{
	AUTO(proc_pids_done) struct proc_pids all = { 0 }, threads = { 0 };
	AUTO(task_facts_done) struct task_facts_list facts = { 0 };
	bool told = false, asked = false;
	size_t n_threads = 0;

	*vector_push(&all) = root;
	for (size_t i = 0; i < all.n && all.n < TASKS_MAX; i++) {
		AUTO_CLOSE int proc = proc_open(all.items[i]);

		if (proc < 0)
			continue;
		if (!told && proc_threads_read(proc, &threads) < 0)
			threads.n = 0;
		n_threads += threads.n;
		/* Once, of all that there are: who is made meanwhile may be missed. */
		if (iter && !asked && (n_threads >= TASK_ITER_WORTH || task_iter_is_there(iter))) {
			told = add_descendants(iter, i, &facts, &all);
			asked = true;
			if (told && files && all.n >= FILE_ITER_TASKS)
				(void)file_iter_read_all(files, &facts, all.n, false);
		}
		if (visit(arg, all.items[i], proc))
			break;
		if (!told)
			add_children(proc, &threads, &all);
	}
	if (files)
		file_iter_forget_running(files);
}

struct descriptor_walk {
	int pidfd, proc;
	const struct proc_mounts *mounts; /* NULL: all files may be copied */
	bool still;
	const struct running_visitor *visitor;
	uint64_t n; /* that were there */
};

static bool is_of_fuse(const struct proc_mounts *mounts, dev_t dev)
{
	for (size_t i = 0; i < mounts->n; i++)
		if (mounts->items[i].dev == dev && strcmp(mounts->items[i].fs_type, "fuse") == 0)
			return true;
	return false;
}

static bool is_of_server(const struct descriptor_walk *walk, int number)
{
	struct statx stx;
	char path[32];

	snprintf(path, sizeof(path), "fd/%d", number);
	return statx(walk->proc, path, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &stx) == 0 &&
	       S_ISREG(stx.stx_mode) && is_of_fuse(walk->mounts, makedev(stx.stx_dev_major, stx.stx_dev_minor));
}

static bool visit_copy(struct descriptor_walk *walk, int number)
{
	AUTO_CLOSE int fd = (int)syscall(SYS_pidfd_getfd, walk->pidfd, number, 0);
	struct running_descriptor one = { .number = number, .fd = fd };
	struct statx stx;

	if (fd < 0)
		return false;
	walk->n++;
	if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &stx) < 0)
		return false;
	one.format = stx.stx_mode & S_IFMT;
	one.dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	one.ino = stx.stx_ino;
	return walk->visitor->wants(walk->visitor->arg, &one) && walk->visitor->visit(walk->visitor->arg, &one);
}

/* A server of files that hangs must not hold us up: what is known here is enough. */
static bool visit_number(struct descriptor_walk *walk, int number)
{
	if (!walk->mounts || !is_of_server(walk, number))
		return visit_copy(walk, number);
	walk->n++;
	return false;
}

/* All were told at once. stat(2) of regular files and directories may tell another device: these are looked at. */
static void visit_told(struct descriptor_walk *walk, pid_t pid, const struct file_facts_list *facts)
{
	AUTO_CLOSE int pidfd = -1;

	for (size_t i = 0; i < facts->n; i++) {
		const struct file_facts *told = &facts->items[i];
		const mode_t format = told->mode & S_IFMT;
		const struct running_descriptor one = { told->number, -1, format, told->dev, told->ino };

		if (walk->mounts && format == S_IFREG && is_of_fuse(walk->mounts, told->dev))
			continue;
		if (!walk->visitor->wants(walk->visitor->arg, &one))
			continue;
		if (pidfd < 0)
			walk->pidfd = pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (pidfd < 0 || visit_copy(walk, told->number))
			return;
	}
}

static const struct file_facts_list *read_told(const struct descriptor_walk *walk, pid_t pid,
					       struct file_facts_list *facts)
{
	if (walk->still)
		return file_iter_read_still(walk->visitor->iter, pid);
	return file_iter_read(walk->visitor->iter, pid, facts) ? facts : NULL;
}

/*
 * To ask for the list takes as long as a dozen attempts for each descriptor: the kernel makes an inode for each line of
 * it. So numbers are tried first, until there were as many as it has: since Linux 6.2 that is the size of the
 * directory.
 */
static void visit_descriptors(pid_t pid, int proc, struct descriptor_walk walk)
{
	AUTO(file_facts_done) struct file_facts_list facts = { 0 };
	const struct file_iter *iter = walk.visitor->iter;
	const struct file_facts_list *told = iter ? file_iter_find(iter, pid, walk.still) : NULL;
	AUTO_FREE int *numbers = NULL;
	AUTO_CLOSE int pidfd = -1;
	int tried = 0, listed;
	struct stat st;

	walk.proc = proc;
	if (!told && fstatat(proc, "fd", &st, 0) < 0)
		return;
	if (!told && iter && st.st_size >= FILE_ITER_WORTH)
		told = read_told(&walk, pid, &facts);
	if (told) {
		visit_told(&walk, pid, told);
		return;
	}
	walk.pidfd = pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return;
	for (; walk.n < (uint64_t)st.st_size && tried < TRIES_MIN + 4 * st.st_size; tried++)
		if (visit_number(&walk, tried))
			return;
	if (st.st_size && walk.n >= (uint64_t)st.st_size)
		return;
	listed = fd_list(proc, "fd", &numbers);
	for (int i = 0; i < listed; i++)
		if (numbers[i] >= tried && visit_number(&walk, numbers[i]))
			return;
}

void running_visit_descriptors(pid_t pid, int proc, const struct running_visitor *visitor)
{
	visit_descriptors(pid, proc, (struct descriptor_walk){ .visitor = visitor });
}

void running_still_done(struct running_still *still)
{
	if (still->pool)
		close(still->watch);
	proc_mounts_done(&still->mounts);
	pool_destroy(&still->pool);
	*still = (struct running_still){ 0 };
}

static bool has_changed(const struct running_still *still)
{
	struct pollfd poll_fd = { .fd = still->watch, .events = POLLPRI };

	return poll(&poll_fd, 1, 0) != 0;
}

static void read_mounts(struct running_still *still, int proc)
{
	AUTO(buffer_done) struct buffer text = { 0 };
	int watch = openat(proc, "mountinfo", O_RDONLY | O_CLOEXEC);

	running_still_done(still);
	if (watch < 0)
		return;
	still->watch = watch;
	still->pool = pool_create();
	if (proc_read_open(watch, "mountinfo", &text) < 0 ||
	    proc_mounts_parse(text.data, still->pool, &still->mounts) < 0)
		return;
	for (size_t i = 0; i < still->mounts.n; i++)
		still->fuse |= strcmp(still->mounts.items[i].fs_type, "fuse") == 0;
}

/* Most processes see the same mounts as the last. */
static bool sees_fuse(struct running_still *still, int proc)
{
	ino_t space;

	if (proc_namespace(proc, "ns/mnt", &space) == 0 && (space != still->space || has_changed(still))) {
		read_mounts(still, proc);
		still->space = space;
	}
	return still->fuse;
}

void running_still_look(struct running_still *still, int proc)
{
	(void)sees_fuse(still, proc);
}

void running_visit_still(pid_t pid, int proc, struct running_still *still, const struct running_visitor *visitor)
{
	const struct proc_mounts *mounts = sees_fuse(still, proc) ? &still->mounts : NULL;

	visit_descriptors(pid, proc, (struct descriptor_walk){ .visitor = visitor, .mounts = mounts, .still = true });
}

void running_visit_groups(bool (*visit)(void *arg, pid_t pid, pid_t session, pid_t group), void *arg)
{
	AUTO_CLOSEDIR DIR *dir = opendir("/proc");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int pid;

		if (text_to_int(entry->d_name, &pid) == 0 && pid > 0 && visit(arg, pid, getsid(pid), getpgid(pid)))
			return;
	}
}
