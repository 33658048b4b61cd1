/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc of pid namespaces within that of the tree (task/pid-space.h), and their files that are mounted somewhere. They
 * can be mounted only when the first process of the namespace is there; so they follow then, with all that is mounted
 * upon them, before that process goes on.
 */
#include "object/mount/pid-space.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/mount/attach.h"
#include "object/mount/collect.h"
#include "object/mount/fs/fs.h"
#include "object/mount/mount-set.h"
#include "object/mount/restore.h"
#include "object/mount/save.h"
#include "object/mount/tree.h"
#include "object/namespace/namespace.h"
#include "session/loss.h"
#include "session/pids.h"
#include "session/survey.h"

/* --- dump --- */

static bool shows_processes(const struct superblock *super)
{
	const struct mount *widest = super->widest;

	return widest && widest->fs && widest->fs->type == FSTYPE__PROC && strcmp(widest->entry->root, "/") == 0;
}

/* By its first process, which is always shown. */
static int find_shown(const struct dump *d, struct superblock *super)
{
	struct pid_space *space;
	AUTO_CLOSE int root = -1;
	struct stat st;

	LOG_SCOPE("mount %u on %.60s", super->widest->entry->mnt_id, super->widest->entry->mountpoint);
	TRY(mount_reveal(d, super->widest, &root));
	if (fstatat(root, "1/ns/pid", &st, 0) < 0) {
		dump_report_loss(d, "it shows a pid namespace whose first process is gone: it will show that of the "
				    "tree instead");
		return 0;
	}
	if (st.st_ino == d->facts->pid_namespace)
		return 0;
	for_each_pid_space(space, d->tree) if (space->inode == st.st_ino) super->pid_space = space;
	if (!super->pid_space)
		return mount_refuse(super->widest, "it shows a pid namespace in which no task of the tree lives");
	return 0;
}

int pid_space_dump(const struct dump *d)
{
	if (!d->tree->pid_spaces)
		return 0;
	for (struct superblock *super = dump_mounts(d)->supers; super; super = super->next) {
		if (super->asked || !shows_processes(super))
			continue;
		super->asked = true;
		TRY(dump_go_on(d, find_shown(d, super)));
	}
	return 0;
}

void pid_space_note(const struct mount *mount)
{
	const struct pid_space *space = mount->super ? mount->super->pid_space : NULL;

	mount->entry->has_pid_space = space != NULL;
	mount->entry->pid_space = space ? space->id : 0;
}

/* --- restore --- */

int pid_space_load(const struct restore *r, const struct mount *mount)
{
	struct pid_space *space;

	if (!mount->entry->has_pid_space)
		return 0;
	for_each_pid_space(space, r->tree)
	{
		if (space->id != mount->entry->pid_space)
			continue;
		mount->super->pid_space = space;
		return 0;
	}
	return refuse(EINVAL, "mount %u on %s shows pid namespace %u, which is not in pstree.img", mount->entry->mnt_id,
		      mount->entry->mountpoint, mount->entry->pid_space);
}

const struct pid_space *pid_space_shown(const struct mount *mount)
{
	if (mount->kept_space)
		return mount->kept_space;
	return mount->super && !mount_is_outside(mount) ? mount->super->pid_space : NULL;
}

bool pid_space_is_awaited(const struct mount *mount)
{
	for (; mount; mount = mount->parent)
		if (pid_space_shown(mount))
			return true;
	return false;
}

bool pid_space_is_there(const struct mount *mount)
{
	for (; mount; mount = mount->parent)
		if (pid_space_shown(mount) && pid_space_shown(mount)->fd < 0)
			return false;
	return true;
}

bool pid_space_any(const struct mount_set *set)
{
	const struct mount *m;

	for_each_mount(m, set)
		if (m->kept_space)
			return true;
	for (const struct superblock *super = set->supers; super; super = super->next)
		if (super->pid_space)
			return true;
	return false;
}

/* In the namespace. */
struct proc_making {
	struct restore *r;
	const struct pid_space *space;
};

static int make_supers(void *arg)
{
	const struct proc_making *proc_making = arg;

	for (struct superblock *super = restore_mounts(proc_making->r)->supers; super; super = super->next)
		if (super->pid_space == proc_making->space && super->widest)
			TRY(super_make(proc_making->r, super));
	return 0;
}

/* A task was made, and is the first process of a pid namespace. */
int mount_restore_arrive(struct restore *r, struct task *task)
{
	struct pid_space *space = task->pid_space;
	struct proc_making proc_making = { r, space };
	/* Who is not root of the machine may mount it only where another one is seen. */
	uint32_t around = mount_namespaces_of_root(r) & (CLONE_NEWUSER | CLONE_NEWNS),
		 flags = r->facts->ids ? around : 0;

	if (!space || space->first != task || !restore_mounts(r) || !pid_space_any(restore_mounts(r)))
		return 0;
	TRY(namespace_run(task->restore->proc, flags | CLONE_NEWPID, make_supers, &proc_making));
	return namespace_run(r->tree->root->restore->proc, around, spaces_follow, r);
}
