/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptor tables of tasks, dump: fdinfo-*.img. */
#include "object/file/descriptors.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/table.h"
#include "image/image.h"
#include "image/record.h"
#include "kern/kcmp.h"
#include "kern/track.h"
#include "object/file/describe.h"
#include "object/file/file-state.h"
#include "object/file/file-dump.h"
#include "object/file/locks.h"
#include "object/mount/mount.h"
#include "plan/plan.h"
#include "session/survey.h"
#include "session/trackers.h"

/*
 * Who closes a copy of a file of FUSE waits for its server (FUSE_FLUSH). Where that one stands still, what we get is a
 * name of the file only (O_PATH), of which it never hears. -ENOENT, unlogged: it is no such file.
 */
static int take_name(const struct dump *d, const struct task *task, int number)
{
	struct statx stx;
	char path[32];
	int fd;

	if (!mount_dump_serves(d))
		return -ENOENT;
	snprintf(path, sizeof(path), "fd/%d", number);
	if (statx(task->dump->proc, path, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &stx) < 0 ||
	    !mount_dump_is_served(d, makedev(stx.stx_dev_major, stx.stx_dev_minor)))
		return -ENOENT;
	fd = openat(task->dump->proc, path, O_PATH | O_CLOEXEC);
	return fd < 0 ? fail_errno("opening /proc/%d/%s", task->pid, path) : fd;
}

/* -EBADF, unlogged: it is gone, which only that of a task that runs can be. */
static int take_descriptor(const struct dump *d, struct open_file *of)
{
	int fd = take_name(d, of->task, of->task_fd);

	of->is_name = fd >= 0;
	if (fd != -ENOENT)
		return fd;
	fd = (int)syscall(SYS_pidfd_getfd, of->task->dump->pidfd, of->task_fd, 0);
	if (fd < 0 && errno == EBADF)
		return -EBADF;
	return fd < 0 ? fail_errno("taking a copy of the descriptor (pidfd_getfd)") : fd;
}

/* In a survey the task runs: it may close a descriptor while we look at it, or open another file there. */
static bool was_closed(const struct open_file *of)
{
	return of->is_name ||
	       kcmp_compare(KCMP_FILE, of->task->pid, (unsigned long)of->task_fd, getpid(), (unsigned long)of->fd) != 0;
}

/* In rising order; -errno, not logged. */
static int list_numbers(const struct task *task, int **ret)
{
	int n = 0;

	if (!task->dump->fd_flags)
		return fd_list(task->dump->proc, "fdinfo", ret);
	*ret = xmalloc(task->dump->n_fd_flags * sizeof(**ret));
	for (size_t i = 0; i < task->dump->n_fd_flags; i++)
		if (task->dump->fd_flags[i])
			(*ret)[n++] = (int)i;
	return n;
}

static void add_known(const struct dump *d, struct task *task, int number, struct dumped *dumped, bool cloexec)
{
	table_set2(file_dump_of(d)->descriptors, task->ids->files_id, (uint64_t)number, dumped);
	*vector_push(&file_dump_of(d)->known) =
		(struct known_descriptor){ task, number, dumped->id, dumped->ino, dumped->type, cloexec };
}

static int dump_copy(const struct dump *d, struct open_file *of, struct fdinfo *info)
{
	struct task *task = of->task;
	const int number = of->task_fd;
	struct dumped *dumped;
	int is_new, error;

	error = file_describe(d, of, info);
	if (error == -ENOENT && was_closed(of))
		return 0;
	TRY(error);
	if (of->flags & TRACKER_MARK && tracker_is_one(of->flags, fdinfo_get(info, "API"))) {
		task_note_tracker(task, number);
		return 0;
	}
	is_new = file_dump_known(d, of, &dumped);
	if (is_new == -EBADF && was_closed(of))
		return 0;
	TRY(is_new);
	TRY(locks_dump(d, of, is_new));
	dumped->ino = of->stat.st_ino;
	if (of->facts)
		table_set(file_dump_of(d)->told, of->facts->file, dumped);
	add_known(d, task, number, dumped, of->cloexec);
	return 0;
}

/* Most tasks have open what their parents had, and the kernel has told which of them are the same. */
static bool was_dumped(const struct dump *d, struct task *task, int number, const struct file_facts *facts)
{
	struct dumped *dumped = facts && facts->has_no_locks ? table_find(file_dump_of(d)->told, facts->file) : NULL;

	if (dumped)
		add_known(d, task, number, dumped, task->dump->fd_flags[number] & FD_FLAG_CLOEXEC);
	return dumped;
}

static int dump_descriptor(const struct dump *d, struct task *task, int number, const struct file_facts *facts,
			   struct fdinfo *info)
{
	struct open_file of = { .task = task, .task_fd = number, .fd = -1, .facts = facts };
	AUTO_CLOSE int fd = -1;

	if (was_dumped(d, task, number, facts))
		return 0;
	if (info->dir < 0)
		TRY(fdinfo_open(info, task->dump->proc));
	of.told = task->dump->fd_flags ? task->dump->fd_flags[number] : 0;
	if (!file_needs_no_copy(d, &of)) {
		of.fd = fd = take_descriptor(d, &of);
		if (fd == -EBADF)
			return 0; /* closed meanwhile: the task runs */
		TRY(fd);
	}
	return dump_copy(d, &of, info);
}

static int dump_table(const struct dump *d, struct task *task)
{
	AUTO(fdinfo_done) struct fdinfo info = { .dir = -1 };
	const struct file_facts_list *facts = NULL;
	AUTO_FREE int *numbers = NULL;
	int n = list_numbers(task, &numbers);

	if (n < 0)
		return fail(-n, "listing its descriptors");
	/* In a survey they run, and are not asked. */
	if (task->dump->fd_flags)
		facts = n >= FILE_ITER_WORTH ? file_iter_read_still(d->file_iter, task->pid)
					     : file_iter_find(d->file_iter, task->pid, true);
	for (int i = 0; i < n; i++) {
		LOG_SCOPE("descriptor %d", numbers[i]);
		TRY(dump_go_on(d, dump_descriptor(d, task, numbers[i],
						  facts ? file_facts_find(facts, numbers[i]) : NULL, &info)));
	}
	log_debug("%d descriptors%s", n, facts ? " were told at once" : "");
	return 0;
}

static bool has_table(const struct task *task)
{
	return task_is_live(task) && task->dump->first_with_files == (uint32_t)task->pid;
}

int file_dump_tables(const struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree) {
		if (!has_table(task))
			continue;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		TRY(dump_go_on(d, dump_table(d, task)));
	}
	return 0;
}

/* Its descriptors are the next of the list. */
static int write_table(struct dump *d, const struct task *task, size_t *at)
{
	const struct file_dump *files = file_dump_of(d);
	AUTO(image_close) struct image *image = NULL;

	TRY(image_create(dump_store(d), &image, IMAGE_FDINFO, task->ids->files_id));
	for (; *at < files->known.n && files->known.items[*at].task == task; (*at)++) {
		const struct known_descriptor *known = &files->known.items[*at];
		FdinfoEntry entry = FDINFO_ENTRY__INIT;

		entry.id = known->id;
		entry.type = known->type;
		entry.fd = (uint32_t)known->fd;
		entry.flags = known->cloexec ? FD_CLOEXEC : 0;
		TRY(image_write(image, &entry));
	}
	return image_finish(&image);
}

int file_write_tables(struct dump *d)
{
	struct task *task;
	size_t at = 0;

	for_each_task(task, d->tree)
		if (has_table(task))
			TRY(write_table(d, task, &at));
	return 0;
}

uint32_t file_find_dumped(struct dump *d, struct task *task, int fd)
{
	struct dumped *dumped = table_find2(file_dump_of(d)->descriptors, task->ids->files_id, (uint64_t)fd);

	return dumped ? dumped->id : 0;
}

const struct known_descriptor *file_known_descriptors(const struct dump *d, size_t *ret_n)
{
	const struct file_dump *files = file_dump_of(d);

	*ret_n = files ? files->known.n : 0;
	return files ? files->known.items : NULL;
}
