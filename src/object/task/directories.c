/* SPDX-License-Identifier: GPL-2.0-only */
/* Current directory, root directory and umask of a process: what clone(CLONE_FS) shares. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "image/record.h"
#include "object/file/file.h"
#include "object/namespace/namespace.h"
#include "object/task/part.h"
#include "plan/plan.h"

/* --- dump --- */

/* Of a task; an image of its own. */
static const struct state_type fs_record_state = { sizeof(FsEntry), NULL };

static int dump_directories(const struct dump *d, struct thread *thread)
{
	struct task *task = thread->task;
	FsEntry *record;

	if (thread != task->leader)
		return 0;
	record = state_make(&task->dump->states, &fs_record_state);
	fs_entry__init(record);
	TRY(file_dump_path(d, task, "cwd", NULL, 0, &record->cwd_id));
	TRY(file_dump_path(d, task, "root", NULL, 0, &record->root_id));
	record->has_umask = true;
	record->umask = thread->dump->status.umask;
	return 0;
}

static int write_directories(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree) {
		const FsEntry *record = state_find(&task->dump->states, &fs_record_state);

		if (record)
			TRY(image_write_one(dump_store(d), IMAGE_FS, record, (uint64_t)task->vpid));
	}
	return 0;
}

/* --- restore --- */

static int check_directories(const struct restore *r, struct thread *thread)
{
	struct task *task = thread->task;
	struct file *file;
	FsEntry *record;
	int result;

	if (thread != task->leader)
		return 0;
	result = image_read_one(r->store, IMAGE_FS, &record, (uint64_t)task->vpid);
	if (result == -ENOENT)
		return refuse(ENOENT, "fs-%d.img is missing: the task would be restored in whatever directory criu is",
			      task->vpid);
	TRY(result);
	if (record->umask & ~0777u)
		return refuse(EINVAL, "fs-%d.img: umask 0%o: the image is damaged", task->vpid, record->umask);
	TRY(file_use(r, record->cwd_id, &file));
	TRY(file_use(r, record->root_id, &file));
	file_set_directories(task, record);
	return 0;
}

/* Borrows a directory from us, makes it the current one; the slot keeps the borrowed descriptor. */
static int enter_directory(struct restore *r, const struct task *task, uint32_t id, const char *why, struct plan *plan)
{
	int fd;

	TRY(file_get_late_fd(r, file_find(r, id), &fd));
	plan_syscall(plan, why, __NR_pidfd_getfd, V(task->restore->coordinator_fd), V(fd), V(0))->to_slot = 1;
	plan_syscall(plan, why, __NR_fchdir, S(1));
	plan_syscall(plan, why, __NR_close, S(1));
	return 0;
}

/* Cloned with CLONE_FS: the creator's directories are its own, and the two must not change them at the same time. */
static bool shares_with_creator(const struct task *task)
{
	const struct task *creator = task->restore->creator;

	return creator && creator->ids && task->ids && creator->ids->fs_id == task->ids->fs_id;
}

/* The root directory of a new task is ours; the right to change it is only needed if it had another one. */
static int changes_root(struct restore *r, uint32_t id, bool *ret)
{
	const unsigned wanted = STATX_INO | STATX_MNT_ID;
	struct statx ours, theirs;
	struct namespace *ns;
	int fd;

	TRY(file_get_late_fd(r, file_find(r, id), &fd));
	*ret = true;
	for_each_namespace(ns, restore_namespaces(r))
		if (ns->kind->flag == CLONE_NEWNS && !ns->own)
			return 0; /* whose root it has now depends on how it came into its namespace */
	if (statx(AT_FDCWD, "/", AT_NO_AUTOMOUNT, wanted, &ours) < 0 ||
	    statx(fd, "", AT_EMPTY_PATH, wanted, &theirs) < 0)
		return fail_errno("looking at the root directory");
	*ret = ours.stx_dev_major != theirs.stx_dev_major || ours.stx_dev_minor != theirs.stx_dev_minor ||
	       ours.stx_ino != theirs.stx_ino || ours.stx_mnt_id != theirs.stx_mnt_id;
	return 0;
}

static int plan_directories(struct restore *r, struct thread *thread, struct plan *plan)
{
	const struct task *task = thread->task;
	const FsEntry *record = file_directories_of(task);
	static const char here[] = ".";
	bool other_root = false;

	if (thread != task->leader || !record || shares_with_creator(task))
		return 0;
	TRY(changes_root(r, record->root_id, &other_root));
	if (other_root) {
		TRY(enter_directory(r, task, record->root_id, "enter the root directory", plan));
		plan_syscall(plan, "change the root directory (CAP_SYS_CHROOT?)", __NR_chroot,
			     D(plan_data(plan, here, sizeof(here))));
	}
	TRY(enter_directory(r, task, record->cwd_id, "enter the current directory", plan));
	if (record->has_umask)
		plan_syscall(plan, "set the umask", __NR_umask, V(record->umask));
	return 0;
}

static int settle_directories(struct restore *r, struct thread *thread)
{
	const FsEntry *record = file_directories_of(thread->task);

	if (thread != thread->task->leader || !record)
		return 0;
	file_put(r, file_find(r, record->cwd_id));
	file_put(r, file_find(r, record->root_id));
	return 0;
}

const struct task_part directories_part = {
	.name = "directories",
	.aside = dump_directories,
	.write = write_directories,
	.check = check_directories,
	.plan = plan_directories,
	.settle = settle_directories,
};
