/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that want to know when they are checkpointed and restored (docs/TELL.md). What they share with us is theirs:
 * it is read and written by calls, never through a mapping, which a program could cut off under our hands.
 */
#include "flow/tell.h"

#include <criu-tell.h>
#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "base/io.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/vector.h"
#include "kern/proc/children.h"
#include "kern/proc/proc.h"
#include "kern/proc/stat.h"
#include "kern/proc/status.h"
#include "object/memory/memory.h"
#include "options/options.h"

#define LINK	  "/memfd:" CRIU_TELL_NAME " (deleted)"
#define STEP_MS	  2
#define SETTLE_MS 50
#define TASKS_MAX (1u << 20) /* while they run, a tree may grow as fast as it is walked */

struct told {
	pid_t pid;
	int fd;
	dev_t dev;
	ino_t ino;
	uint32_t signal, number;
	bool answered, signal_due;
};

struct tell {
	VECTOR(struct told) items;
};

/* --- finding them --- */

static bool is_known(const struct tell *tell, const struct stat *st)
{
	for (size_t i = 0; i < tell->items.n; i++)
		if (tell->items.items[i].dev == st->st_dev && tell->items.items[i].ino == st->st_ino)
			return true;
	return false;
}

/* A child has a copy of its parent's: it is for the one that made it. */
static bool is_owner(int proc, uint32_t owner)
{
	AUTO(proc_status_done) struct proc_status status = { 0 };

	return proc_status_read(proc, &status) == 0 && status.n_levels &&
	       (uint32_t)status.ns_pid[status.n_levels - 1] == owner;
}

static void look_at(struct tell *tell, pid_t pid, int proc, int number)
{
	char name[32], link[64];
	struct criu_tell content;
	AUTO_CLOSE int fd = -1;
	struct stat st;
	ssize_t length;

	snprintf(name, sizeof(name), "fd/%d", number);
	length = readlinkat(proc, name, link, sizeof(link) - 1);
	if (length != sizeof(LINK) - 1 || memcmp(link, LINK, sizeof(LINK) - 1) != 0)
		return;
	fd = openat(proc, name, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || is_known(tell, &st) ||
	    io_pread(fd, &content, sizeof(content), 0) != sizeof(content) || content.magic != CRIU_TELL_MAGIC ||
	    !is_owner(proc, content.owner))
		return;
	*vector_push(&tell->items) = (struct told){
		.pid = pid,
		.fd = TAKE_FD(fd),
		.dev = st.st_dev,
		.ino = st.st_ino,
		.signal = content.signal,
		.number = content.number,
	};
}

static void look_at_task(struct tell *tell, pid_t pid, int proc)
{
	AUTO_FREE int *numbers = NULL;
	int n = fd_list(proc, "fd", &numbers);

	for (int i = 0; i < n; i++)
		look_at(tell, pid, proc, numbers[i]);
}

/* While they run: who comes later is not told. */
static void look_at_tree(struct tell *tell, pid_t root)
{
	AUTO(proc_pids_done) struct proc_pids all = { 0 }, children = { 0 };

	*vector_push(&all) = root;
	for (size_t i = 0; i < all.n && all.n < TASKS_MAX; i++) {
		AUTO_CLOSE int proc = proc_open(all.items[i]);

		if (proc < 0)
			continue;
		look_at_task(tell, all.items[i], proc);
		if (proc_children_read(proc, &children) < 0)
			continue;
		for (size_t k = 0; k < children.n; k++)
			*vector_push(&all) = children.items[k];
	}
}

/* --- talking --- */

/* Whoever waits for the number. The mapping is touched by the kernel alone, which may fail. */
static void wake_waiters(const struct told *told)
{
	char *map = mmap(NULL, sizeof(struct criu_tell), PROT_READ | PROT_WRITE, MAP_SHARED, told->fd, 0);

	if (map == MAP_FAILED)
		return;
	(void)syscall(SYS_futex, map + offsetof(struct criu_tell, number), FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	munmap(map, sizeof(struct criu_tell));
}

/* The number last: it says that the rest is there. */
static void change_state(struct told *told, uint32_t state, bool copy)
{
	struct criu_tell content;

	if (io_pread(told->fd, &content, sizeof(content), 0) != sizeof(content))
		return;
	content.copies += copy;
	told->number = content.number + 1;
	if (io_pwrite(told->fd, &content.copies, 4, offsetof(struct criu_tell, copies)) < 0 ||
	    io_pwrite(told->fd, &state, 4, offsetof(struct criu_tell, state)) < 0 ||
	    io_pwrite(told->fd, &told->number, 4, offsetof(struct criu_tell, number)) < 0)
		log_warn("task %d cannot be told", told->pid);
	wake_waiters(told);
	told->signal_due = state != CRIU_TELL_DUMP;
}

static void send_signal(const struct told *told)
{
	if (told->signal && told->signal <= (uint32_t)SIGRTMAX)
		(void)kill(told->pid, (int)told->signal);
}

/* Returns 1 when it has answered. */
static int hear_answer(struct told *told)
{
	struct criu_tell content;

	if (told->answered)
		return 1;
	if (io_pread(told->fd, &content, sizeof(content), 0) != sizeof(content))
		return 0;
	told->answered = content.answered == told->number;
	if (told->answered && content.refused)
		return refuse(EBUSY, "task %d does not want to be dumped now; --tell-timeout 0 does not ask it",
			      told->pid);
	return told->answered;
}

static int await_answers(struct tell *tell, unsigned seconds)
{
	const struct deadline deadline = deadline_in_seconds(seconds);
	bool all;

	do {
		all = true;
		TRY(interrupt_check());
		for (size_t i = 0; i < tell->items.n; i++) {
			int answered = hear_answer(&tell->items.items[i]);

			TRY(answered);
			all &= answered;
		}
		if (all)
			return 0;
		usleep(STEP_MS * 1000);
	} while (!deadline_passed(&deadline));
	for (size_t i = 0; i < tell->items.n; i++)
		if (!tell->items.items[i].answered)
			log_warn("task %d was told of the dump and has not answered within %u seconds "
				 "(--tell-timeout): going on without",
				 tell->items.items[i].pid, seconds);
	return 0;
}

int tell_before_dump(const struct options *options, struct tell **ret)
{
	struct tell *tell;

	if (!options->tell_timeout)
		return 0;
	tell = *ret = xzalloc(sizeof(*tell));
	look_at_tree(tell, options->pid);
	for (size_t i = 0; i < tell->items.n; i++) {
		log_info("task %d is told of the dump", tell->items.items[i].pid);
		change_state(&tell->items.items[i], CRIU_TELL_DUMP, false);
		send_signal(&tell->items.items[i]);
	}
	return tell->items.n ? await_answers(tell, options->tell_timeout) : 0;
}

void tell_goes_on(struct tell *tell)
{
	for (size_t i = 0; tell && i < tell->items.n; i++)
		change_state(&tell->items.items[i], CRIU_TELL_GOES_ON, false);
}

/*
 * A task that was let go makes the call again in which it was stopped. A signal that comes before would not interrupt
 * it, and a program that only looks at signals between calls (Python) would learn of it late.
 */
static void await_call(const struct told *told)
{
	AUTO_CLOSE int proc = proc_open(told->pid);
	struct proc_stat stat;

	for (int i = 0; i < SETTLE_MS && proc >= 0; i++) {
		if (proc_stat_read(proc, &stat) < 0 || stat.state == 'S')
			return;
		usleep(1000);
	}
}

void tell_end(struct tell **tell)
{
	struct tell *gone = TAKE_PTR(*tell);

	for (size_t i = 0; gone && i < gone->items.n; i++) {
		if (gone->items.items[i].signal_due) {
			await_call(&gone->items.items[i]);
			send_signal(&gone->items.items[i]);
		}
		close(gone->items.items[i].fd);
	}
	if (gone)
		vector_done(&gone->items);
	free(gone);
}

bool tell_is_wanted(const struct restore *r)
{
	return r->options->tell_timeout && memory_has_memfd(r, CRIU_TELL_NAME);
}

void tell_restored(struct restore *r, struct tell **ret)
{
	struct tell *tell = *ret = xzalloc(sizeof(*tell));
	struct task *task;

	for_each_task(task, r->tree) {
		AUTO_CLOSE int proc = task_is_live(task) && task->pid > 0 ? proc_open(task->pid) : -1;

		if (proc >= 0)
			look_at_task(tell, task->pid, proc);
	}
	for (size_t i = 0; i < tell->items.n; i++)
		change_state(&tell->items.items[i], CRIU_TELL_RESTORED, true);
}
