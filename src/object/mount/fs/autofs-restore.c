/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Restore of the mounts of automounters. A mount gets a pipe of ours, its directories, and is then made catatonic, as
 * it is when its automounter has died: all that is mounted in it, and every path, can be walked without waiting. A
 * task of the automounter's process group gives it the pipe of the automounter when all files are open.
 */
#include "object/mount/fs/autofs-restore.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/auto_dev-ioctl.h>
#include <linux/auto_fs.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "image/record.h"
#include "kern/mountapi.h"
#include "kern/syscalls.h"
#include "lib/compel/restorer.h"
#include "object/mount/mount-set.h"
#include "object/mount/tree.h"
#include "plan/plan.h"
#include "session/session.h"

#define DEVICE "/dev/autofs"

/* --- the record --- */

static bool is_path(const char *path)
{
	for (const char *p = path;; p += strcspn(p, "/") + 1) {
		size_t size = strcspn(p, "/");

		if (!size || size > NAME_MAX || (size <= 2 && !memcmp(p, "..", size)))
			return false;
		if (!p[size])
			return true;
	}
}

static int check_record(const struct restore *r, const AutofsEntry *record)
{
	for (size_t i = 0; i < record->n_nodes; i++) {
		const AutofsNode *node = record->nodes[i];

		if (!is_path(node->path) || (S_ISLNK(node->mode) ? !node->target : !S_ISDIR(node->mode)))
			return refuse(EINVAL, "the image of an autofs has \"%.80s\", which is no name of a directory",
				      node->path);
	}
	if (record->fd < 0)
		return 0;
	if (!record->has_owner || !record->has_reader || !record->has_read_fd)
		return refuse(EOPNOTSUPP, "the image of an autofs does not tell which task serves it");
	if (!task_tree_find(r->tree, (pid_t)record->owner) || !task_tree_find(r->tree, (pid_t)record->reader))
		return refuse(EINVAL, "an autofs is served by task %u, which is not in the images", record->owner);
	return 0;
}

int autofs_load(const struct restore *r, struct superblock *super)
{
	int result;

	if (super->autofs || !super->widest || super->widest->entry->fstype != FSTYPE__AUTOFS)
		return 0;
	LOG_SCOPE("mount %u on %.60s", super->widest->entry->mnt_id, super->widest->entry->mountpoint);
	result = image_read_one(r->store, IMAGE_AUTOFS, &super->autofs, super->dev);
	if (result == -ENOENT)
		return refuse(ENOENT, "autofs-%u.img, which tells who serves it, is missing", super->dev);
	TRY(result);
	return check_record(r, super->autofs);
}

/* --- the mount --- */

static bool is_ours_to_set(const char *word)
{
	return text_starts(word, "fd=") || text_starts(word, "pgrp=") || text_starts(word, "timeout=") ||
	       text_starts(word, "pipe_ino=");
}

static char *choose_options(struct restore *r, const char *shown, int pipe)
{
	AUTO(buffer_done) struct buffer text = { 0 };

	buffer_printf(&text, "fd=%d", pipe);
	for (const char *p = shown; *p; p += strspn(p, ",")) {
		size_t size = strcspn(p, ",");

		if (!is_ours_to_set(p))
			buffer_printf(&text, ",%.*s", (int)size, p);
		p += size;
	}
	return pool_string(r->pool, text.data);
}

#define FILLERS_MAX 4096

/*
 * systemd knows its mounts by their device numbers. The kernel gives out the lowest free one, so those below are taken
 * for a moment. 1: the wanted one is next, 0: it is in use.
 */
static int take_numbers_below(uint32_t wanted, int *fillers, size_t *ret_n)
{
	for (; *ret_n < FILLERS_MAX; ++*ret_n) {
		AUTO_CLOSE int context = fsopen("ramfs", FSOPEN_CLOEXEC), fd = -1;
		struct stat st;

		if (context < 0)
			return fail_errno("fsopen of a ramfs");
		fd = mountapi_make(context, "criu", "", 0);
		TRY(fd);
		if (fstat(fd, &st) < 0)
			return fail_errno("looking at a ramfs");
		if (minor(st.st_dev) >= wanted)
			return minor(st.st_dev) == wanted;
		fillers[*ret_n] = TAKE_FD(fd);
	}
	return 0;
}

#define TRIES 10
#define PAUSE (20 * 1000) /* us */

/* The kernel takes apart the namespace of the tasks that a dump has killed just now in its own time. */
static int await_number(uint32_t wanted, int *fillers, size_t *ret_n)
{
	int result = take_numbers_below(wanted, fillers, ret_n);

	for (unsigned i = 0; result == 0 && i < TRIES; i++) {
		usleep(PAUSE);
		result = take_numbers_below(wanted, fillers, ret_n);
	}
	return result;
}

static int make_numbered(struct restore *r, struct superblock *super, int context, int pipe)
{
	const MntEntry *entry = super->widest->entry;
	const char *options = choose_options(r, entry->options, pipe);
	AUTO_FREE int *fillers = xzalloc(FILLERS_MAX * sizeof(*fillers));
	size_t n = 0;
	int error = await_number(super->dev & 0xfffff, fillers, &n);
	struct stat st;

	if (error >= 0)
		super->fd = mountapi_make(context, entry->source, options, entry->sb_flags);
	while (n > 0)
		close(fillers[--n]);
	TRY(error);
	TRY(super->fd);
	if (fstat(super->fd, &st) < 0)
		return fail_errno("looking at it");
	if (super->autofs->fd >= 0 && minor(st.st_dev) != (super->dev & 0xfffff))
		log_warn("has another device number (0:%u, it was 0:%u), which others have: an automounter that knows "
			 "it by that, as systemd does, serves it no more",
			 minor(st.st_dev), super->dev & 0xfffff);
	return 0;
}

static int make_nodes(const struct superblock *super)
{
	for (size_t i = 0; i < super->autofs->n_nodes; i++) {
		const AutofsNode *node = super->autofs->nodes[i];

		if (S_ISLNK(node->mode)) {
			if (symlinkat(node->target, super->fd, node->path) < 0)
				return fail_errno("making the link %s", node->path);
			continue;
		}
		if (mkdirat(super->fd, node->path, 0700) < 0 ||
		    fchmodat(super->fd, node->path, node->mode & 07777, 0) < 0)
			return fail_errno("making the directory %s", node->path);
	}
	return 0;
}

int autofs_make(struct restore *r, struct superblock *super)
{
	unsigned long timeout = super->autofs->timeout > 0 ? (unsigned long)super->autofs->timeout : 0;
	AUTO_CLOSE int context = -1, reader = -1, writer = -1, root = -1;
	int ends[2];

	LOG_SCOPE("mount %u on %.60s", super->widest->entry->mnt_id, super->widest->entry->mountpoint);
	/* The group that may make directories must be one of this pid namespace. */
	if (setpgid(0, 0) < 0 && errno != EPERM)
		return fail_errno("making a process group for the automounter (setpgid)");
	context = fsopen("autofs", FSOPEN_CLOEXEC);
	if (context < 0)
		return fail_errno("fsopen (does this kernel have autofs?)");
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno("making a pipe for the automounter");
	reader = ends[0];
	writer = ends[1];
	TRY(make_numbered(r, super, context, writer));
	root = openat(super->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail_errno("opening its root");
	if (ioctl(root, AUTOFS_IOC_SETTIMEOUT, &timeout) < 0)
		return fail_errno("setting the time after which it expires");
	TRY(make_nodes(super));
	return ioctl(root, AUTOFS_IOC_CATATONIC, 0) < 0 ? fail_errno("leaving it alone (AUTOFS_IOC_CATATONIC)") : 0;
}

/* --- the automounter --- */

enum { SLOT_US = 1, SLOT_DEVICE, SLOT_ROOT, SLOT_PIPE };

static int open_pipe(const struct restore *r, const AutofsEntry *record)
{
	const struct task *reader = task_tree_find(r->tree, (pid_t)record->reader);
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "fd/%d", record->read_fd);
	fd = openat(reader->restore->proc, path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? fail_errno("opening the pipe of an automounter (descriptor %d of task %u)", record->read_fd,
				   record->reader)
		      : fd;
}

/* A descriptor of ours, which the task has for the length of its plan. It is closed with the session. */
static void plan_fetch(struct plan *plan, int fd, unsigned slot)
{
	plan_syscall(plan, "fetch what an autofs needs", __NR_pidfd_getfd, S(SLOT_US), V(fd), V(0))->to_slot =
		(uint8_t)slot;
}

static int keep_descriptor(struct restore *r, int fd)
{
	if (fd >= 0)
		*vector_push(&restore_mounts(r)->kept) = fd;
	return fd;
}

static void plan_serve(struct restore *r, struct plan *plan, const int fds[3])
{
	struct autofs_dev_ioctl order;
	size_t at;

	init_autofs_dev_ioctl(&order);
	at = plan_data(plan, &order, sizeof(order));
	restorer_plan_find_us(plan, r->us, SLOT_US);
	for (unsigned i = 0; i < 3; i++)
		plan_fetch(plan, fds[i], SLOT_DEVICE + i);
	plan_step(plan, "which autofs", STEP_SET_INT,
		  (struct plan_arg[]){ D(at + offsetof(struct autofs_dev_ioctl, ioctlfd)), S(SLOT_ROOT) }, 2);
	plan_step(plan, "which pipe", STEP_SET_INT,
		  (struct plan_arg[]){ D(at + offsetof(struct autofs_dev_ioctl, setpipefd)), S(SLOT_PIPE) }, 2);
	plan_syscall(plan, "let it tell its automounter (AUTOFS_DEV_IOCTL_SETPIPEFD)", __NR_ioctl, S(SLOT_DEVICE),
		     V(AUTOFS_DEV_IOCTL_SETPIPEFD), D(at));
	for (unsigned slot = SLOT_US; slot <= SLOT_PIPE; slot++)
		plan_syscall(plan, "close what it needed", __NR_close, S(slot));
}

static int plan_autofs(struct restore *r, const struct superblock *super, struct plan *plan)
{
	int fds[3];

	LOG_SCOPE("mount %u on %.60s", super->widest->entry->mnt_id, super->widest->entry->mountpoint);
	fds[0] = keep_descriptor(r, open(DEVICE, O_RDWR | O_CLOEXEC));
	if (fds[0] < 0)
		return fail_errno("opening " DEVICE " (modprobe autofs4)");
	fds[1] = keep_descriptor(r, openat(super->widest->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (fds[1] < 0)
		return fail_errno("opening its root");
	fds[2] = keep_descriptor(r, open_pipe(r, super->autofs));
	TRY(fds[2]);
	plan_serve(r, plan, fds);
	return 0;
}

int autofs_restore_plan(struct restore *r, struct thread *thread, struct plan *plan)
{
	if (!restore_mounts(r) || thread != thread->task->leader)
		return 0;
	for (const struct superblock *super = restore_mounts(r)->supers; super; super = super->next)
		if (super->autofs && super->autofs->fd >= 0 && (pid_t)super->autofs->owner == thread->task->vpid)
			TRY(plan_autofs(r, super, plan));
	return 0;
}
