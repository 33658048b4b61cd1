/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore: each namespace, a copy of ours until then, gets its root and what is mounted below it. In a process of ours
 * (namespace_run). */
#include "object/mount/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "kern/mountapi.h"
#include "object/mount/fs/binfmt.h"
#include "object/mount/fs/fs.h"
#include "object/mount/fs/overlay-base.h"
#include "object/mount/fs/overlay.h"
#include "object/mount/mount-set.h"
#include "object/mount/fs/nsfs.h"
#include "object/mount/pid-space.h"
#include "object/mount/pty.h"
#include "object/mount/removed.h"
#include "object/mount/restore.h"
#include "object/mount/sharing.h"
#include "object/mount/tree.h"
#include "object/mount/staging.h"
#include "object/namespace/namespace.h"

int space_enter(struct mount_set *set, const struct mount_space *space)
{
	if (set->inside == space)
		return 0;
	if (setns(space->namespace->fd, CLONE_NEWNS) < 0)
		return fail_errno("entering mount namespace %u", space->id);
	set->inside = space;
	return 0;
}

static int change_root(struct mount_space *space)
{
	int error = mountapi_make_all_private();

	if (error == 0)
		error = mountapi_attach(space->root->fd, AT_FDCWD, "/");
	if (error < 0)
		return fail(-error, "attaching the root of the mount namespace");
	/* The old root comes to lie on the new one, and goes from there with all that hangs below it (pivot_root(2)).
	 */
	if (fchdir(space->root->fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
	    chdir("/") < 0)
		return fail_errno("changing the root of the mount namespace");
	return 0;
}

static bool is_on(int fd, int mount)
{
	struct statx a, b;

	return statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &a) == 0 &&
	       statx(mount, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &b) == 0 && a.stx_mnt_id == b.stx_mnt_id;
}

/* On the parent, and not on a mount that hides the place. */
static int open_point(const struct mount *parent, const char *point)
{
	/* With RESOLVE_NO_XDEV no directory of an autofs can be opened (EXDEV; seen with Linux 6.18). */
	const bool served = parent->fs && parent->fs->served;
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | (served ? 0 : RESOLVE_NO_XDEV),
	};
	AUTO_CLOSE int fd = (int)syscall(SYS_openat2, parent->fd, point, &how, sizeof(how));

	if (fd >= 0 && served && !is_on(fd, parent->fd)) {
		errno = EXDEV;
		return -1;
	}
	return TAKE_FD(fd);
}

static int attach_mount(const struct mount *mount)
{
	const char *point = mount_relative_point(mount);
	AUTO_CLOSE int fd = -1;
	int error;

	if (*point) {
		fd = open_point(mount->parent, point);
		if (fd < 0 && errno == ENOENT)
			return fail(
				ENOENT,
				"there is no %s to mount it on: make it, as it was there when the checkpoint was made",
				mount->entry->mountpoint);
		if (fd < 0)
			return fail_errno("opening the place it is mounted on");
	}
	error = mountapi_attach(mount->fd, *point ? fd : mount->parent->fd, "");
	return error < 0 ? fail(-error, "attaching it (move_mount)") : 0;
}

/* In the namespace. The first mount of such a file system is what fsmount(2) gives, the others are clones of that one
 * at its place. */
static int make_late(struct restore *r, struct mount *mount)
{
	struct superblock *super = mount->super;
	struct mount *first = super->first;

	if (!first) {
		TRY(overlay_enter_base(mount));
		if (super->fd < 0)
			TRY(super_make(r, super));
		if (mount->entry->layers_from && chdir("/") < 0)
			return fail_errno("going back to the root");
		mount->fd = TAKE_FD(super->fd);
		super->first = mount;
		if (strcmp(mount->entry->root, "/") != 0)
			return refuse(EOPNOTSUPP,
				      "the whole of its file system is mounted after a part of it: that cannot "
				      "be restored yet");
		return 0;
	}
	TRY(space_enter(restore_mounts(r), first->space));
	TRY(staging_clone_part(first->fd, mount, path_below(mount->entry->root, "/")));
	return space_enter(restore_mounts(r), mount->space);
}

/* Some mounts need others, wherever those are: overlays their layers, ptys the programs that have them open, proc a
 * process in its pid namespace. */
enum stage {
	STAGE_EARLY,
	STAGE_LATE,
	STAGE_PTY,
	STAGE_PID_SPACE,
};

/* What hangs on such a mount comes after it. */
static enum stage stage_of(const struct mount *mount)
{
	enum stage stage = STAGE_EARLY;

	if (pid_space_is_awaited(mount))
		return STAGE_PID_SPACE;
	for (; mount && stage != STAGE_PTY; mount = mount->parent) {
		if (pty_is_mounted(mount))
			stage = STAGE_PTY;
		else if (mount_is_late(mount) || mount->upon_layers)
			stage = STAGE_LATE;
	}
	return stage;
}

static int attach_one(struct restore *r, struct mount *m)
{
	AUTO_CLOSE int master = -1;

	if (m->kept_space)
		TRY(nsfs_clone(r, m));
	else if (mount_is_late(m))
		TRY(make_late(r, m));
	else if (pty_is_mounted(m))
		TRY(pty_clone(restore_mounts(r), m, &master));
	TRY(attach_mount(m));
	m->attached = true;
	return 0;
}

static bool is_to_attach(const struct mount *m, enum stage stage)
{
	return m->parent && !m->left_out && !m->attached && !m->entry->detached && stage_of(m) == stage &&
	       pid_space_is_there(m);
}

/* For what it hangs on, for another overlay that it has layers of, or for one whose layers it hides. */
static bool is_waiting(const struct mount_space *space, const struct mount *m)
{
	if (is_to_attach(m->parent, STAGE_LATE))
		return true;
	for (const struct mount *other = space->root; other; other = mount_next(other))
		if (is_to_attach(other, STAGE_LATE) && !mount_hangs_on(other, m) &&
		    (overlay_lies_on(m, other) || overlay_lies_below(other, m)))
			return true;
	return false;
}

/* Returns how many are left: those that wait, if they may. */
static int attach_some(struct restore *r, struct mount_space *space, enum stage stage, bool may_wait, int *ret_attached)
{
	int left = 0;

	*ret_attached = 0;
	for (struct mount *m = space->root; m; m = mount_next(m)) {
		LOG_SCOPE("mount %u on %.60s", m->entry->mnt_id, m->entry->mountpoint);
		if (!is_to_attach(m, stage))
			continue;
		if (may_wait && is_waiting(space, m)) {
			left++;
			continue;
		}
		TRY(attach_one(r, m));
		++*ret_attached;
	}
	return left;
}

static int attach_all(struct restore *r, struct mount_space *space, enum stage stage)
{
	int left, attached;

	do {
		left = attach_some(r, space, stage, stage == STAGE_LATE, &attached);
		TRY(left);
	} while (left && attached);
	return left ? attach_some(r, space, stage, false, &attached) : 0;
}

/* When all of the stage are there. */
static int set_flags(const struct mount_space *space, enum stage first, enum stage last)
{
	for (struct mount *m = space->root; m; m = mount_next(m)) {
		bool now = !m->left_out && stage_of(m) >= first && stage_of(m) <= last && pid_space_is_there(m);
		/* Read-only follows: removed files are still to be made, and programs may write to what covers it. */
		int error = now ? mountapi_set_flags(m->fd, m->entry->flags & ~(uint32_t)MS_RDONLY) : 0;

		if (error < 0)
			return fail(-error, "setting the flags of mount %u on %s", m->entry->mnt_id,
				    m->entry->mountpoint);
	}
	return 0;
}

/* What hangs nowhere can be cloned or attached in the namespace only that it was cloned in (Linux 6.15). */
static int clone_detached(struct mount *m)
{
	int clone, error = mountapi_attach(m->fd, AT_FDCWD, "/");

	LOG_SCOPE("mount %u, which hangs nowhere", m->entry->mnt_id);
	if (error < 0)
		return fail(-error, "attaching it for a moment");
	clone = mountapi_clone(m->fd, "");
	if (fchdir(m->fd) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		error = -errno;
	close(m->fd);
	m->fd = clone;
	return error < 0 || clone < 0 ? fail(error < 0 ? -error : -clone, "cloning it") : 0;
}

static int clone_all_detached(const struct mount_space *space)
{
	for (struct mount *m = space->root; m; m = mount_next(m))
		if (m->entry->detached && !m->left_out)
			TRY(clone_detached(m));
	return 0;
}

static int put_together(struct restore *r, struct mount_space *space)
{
	struct mount_set *set = restore_mounts(r);

	if (mount_is_late(space->root))
		TRY(make_late(r, space->root));
	TRY(space_enter(set, space));
	TRY(change_root(space));
	TRY(attach_all(r, space, STAGE_EARLY));
	TRY(attach_all(r, space, STAGE_LATE));
	TRY(clone_all_detached(space));
	TRY(set_flags(space, STAGE_EARLY, STAGE_LATE));
	space->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return space->root_fd < 0 ? fail_errno("opening the root of the mount namespace") : 0;
}

int spaces_make(void *arg)
{
	struct restore *r = arg;

	TRY(staging_clone_mounts(r));
	for (size_t i = 0; i < restore_mounts(r)->spaces.n; i++) {
		struct mount_space *space = restore_mounts(r)->spaces.items[i];

		LOG_SCOPE("mnt namespace %u", space->id);
		TRY(put_together(r, space));
	}
	removed_done(restore_mounts(r));
	return 0;
}

/* What had to wait, in all namespaces. */
static int attach_stage(struct restore *r, enum stage stage)
{
	struct mount_set *set = restore_mounts(r);

	set->inside = NULL;
	for (size_t i = 0; i < set->spaces.n; i++) {
		struct mount_space *space = set->spaces.items[i];

		LOG_SCOPE("mnt namespace %u", space->id);
		TRY(space_enter(set, space));
		TRY(attach_all(r, space, stage));
		TRY(set_flags(space, stage, stage));
		log_debug("%zu mounts are in place", space->mounts.n);
	}
	return 0;
}

int spaces_finish(void *arg)
{
	return attach_stage(arg, STAGE_PTY);
}

int spaces_follow(void *arg)
{
	return attach_stage(arg, STAGE_PID_SPACE);
}

int spaces_share(void *arg)
{
	struct restore *r = arg;

	restore_mounts(r)->inside = NULL;
	return sharing_make(restore_mounts(r));
}

static int set_readonly(struct mount *mount)
{
	const struct superblock *super = mount->super;
	int error;

	LOG_SCOPE("mount %u on %.60s", mount->entry->mnt_id, mount->entry->mountpoint);
	if (mount->entry->flags & MS_RDONLY) {
		error = mountapi_set_flags(mount->fd, mount->entry->flags);
		if (error < 0)
			return fail(-error, "making it read-only");
	}
	if (mount == super->widest && mount->fs && (mount->fs->content || mount->fs->pins) &&
	    mount->entry->sb_flags & MS_RDONLY) {
		error = mountapi_make_readonly(mount->fd);
		if (error < 0)
			return fail(-error, "making its file system read-only");
	}
	return 0;
}

int spaces_settle(void *arg)
{
	struct restore *r = arg;
	struct mount *m;

	restore_mounts(r)->inside = NULL;
	for_each_mount(m, restore_mounts(r)) {
		if (m->fd < 0)
			continue;
		TRY(space_enter(restore_mounts(r), m->space));
		if (m == m->super->widest && m->entry->fstype == FSTYPE__BINFMT_MISC)
			TRY(binfmt_restore(r, m));
		TRY(set_readonly(m));
	}
	return 0;
}
