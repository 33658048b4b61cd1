/* SPDX-License-Identifier: GPL-2.0-only */
/* Dump of a mount namespace: its image, and the contents of file systems that live in memory only. */
#include "object/mount/save.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "image/record.h"
#include "session/loss.h"
#include "kern/mountapi.h"
#include "object/mount/content/content-dump.h"
#include "object/mount/fs/fs.h"
#include "object/mount/fs/fuse.h"
#include "object/mount/mount-set.h"
#include "object/mount/mount.h"
#include "object/mount/fs/autofs.h"
#include "object/mount/fs/binfmt.h"
#include "object/mount/fs/overlay.h"
#include "object/mount/pid-space.h"
#include "object/mount/pty.h"
#include "object/mount/removed.h"
#include "object/mount/tree.h"
#include "object/namespace/namespace.h"

/* A mount that shows the root of a file system and nothing that is mounted upon it. */
struct reveal {
	bool *ret_locked; /* not NULL: a clone with what lies upon it will do */
	const struct dump *d;
	const struct mount *mount;
	int proc; /* /proc as we see it */
	int clone;
};

/* The mount that the path leads to, -errno unlogged. */
static int find_id(int fd, int *ret)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &stx) < 0)
		return -errno;
	*ret = (int)stx.stx_mnt_id;
	return 0;
}

static int open_point(const char *point)
{
	int fd = open(point, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? fail_errno("opening %s", point) : fd;
}

#define LAYERS_MAX 10000

/* The mount and those that it hangs on, in a copy of the namespace: each place of a mount has but one mount upon it. */
struct chain {
	VECTOR(int) ids; /* from the root on */
};

static int find_copies(const struct proc_mounts *all, const struct mount *mount, struct chain *chain)
{
	int above = 0;

	if (mount->parent) {
		TRY(find_copies(all, mount->parent, chain));
		above = chain->ids.items[chain->ids.n - 1];
	}
	for (size_t i = 0; i < all->n; i++) {
		const struct proc_mount *copy = &all->items[i];
		bool is_root = strcmp(copy->mountpoint, "/") == 0 && !proc_mounts_find(all, copy->parent_id);

		if (mount->parent ? copy->parent_id != above || copy->id == above : !is_root)
			continue;
		if (strcmp(copy->mountpoint, mount->seen->mountpoint) != 0)
			continue;
		*vector_push(&chain->ids) = copy->id;
		return 0;
	}
	return refuse(EINVAL, "%s is not in the copy of its mount namespace", mount->entry->mountpoint);
}

static bool is_in(const struct chain *chain, int id)
{
	for (size_t i = 0; i < chain->ids.n; i++)
		if (chain->ids.items[i] == id)
			return true;
	return false;
}

/* What is seen at the place, or at the nearest directory above that can be reached. */
static int find_seen(const char *place, int *ret)
{
	AUTO_FREE char *path = xstrdup(place);

	for (;;) {
		AUTO_CLOSE int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		char *slash = strrchr(path, '/');

		if (fd >= 0)
			return find_id(fd, ret);
		if ((errno != ENOENT && errno != ENOTDIR) || !path[1])
			return -errno;
		slash[slash == path] = 0;
	}
}

/* In a copy of the namespace: takes off what lies upon the mount, or upon directories above, until it is seen. */
static int uncover_mount(const struct reveal *reveal, const struct proc_mounts *all, const struct chain *chain)
{
	const struct mount *mount = reveal->mount;
	int wanted = chain->ids.items[chain->ids.n - 1], id;

	for (unsigned i = 0; i < LAYERS_MAX; i++) {
		int error = find_seen(mount->entry->mountpoint, &id);
		const struct proc_mount *top = error < 0 ? NULL : proc_mounts_find(all, id);

		if (error < 0)
			return fail(-error, "looking at %s", mount->entry->mountpoint);
		if (id == wanted)
			return 0;
		if (!top || is_in(chain, id))
			return refuse(EOPNOTSUPP,
				      "it cannot be seen: take it from outside with --external mnt[%s]:NAME",
				      mount->entry->mountpoint);
		if (umount2(top->mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return fail_errno("looking below what is mounted upon %s", top->mountpoint);
	}
	return refuse(ELOOP, "too much is mounted upon %s", mount->entry->mountpoint);
}

/* What we change and take off must stay as it is for all others. */
static int uncover_in_copy(const struct reveal *reveal)
{
	AUTO(proc_mounts_done) struct proc_mounts all = { 0 };
	AUTO_CLOSE int self = -1;
	struct chain chain = { 0 };
	int error;

	if (unshare(CLONE_NEWNS) < 0 || mountapi_make_all_private() < 0)
		return fail_errno("making a copy of the mount namespace");
	self = openat(reveal->proc, "thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (self < 0)
		return fail_errno("opening /proc/thread-self");
	TRY(proc_mounts_read(self, reveal->d->pool, &all));
	error = find_copies(&all, reveal->mount, &chain);
	if (error == 0)
		error = uncover_mount(reveal, &all, &chain);
	vector_done(&chain.ids);
	return error;
}

static int clone_there(void *arg)
{
	struct reveal *reveal = arg;
	const struct mount *mount = reveal->mount;
	AUTO_CLOSE int fd = open(mount->entry->mountpoint, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int id = -1;

	if (fd < 0 || find_id(fd, &id) < 0 || id != mount->seen->id || mount->seen->unbindable) {
		TRY(uncover_in_copy(reveal));
		auto_close(&fd);
		fd = open_point(mount->entry->mountpoint);
		TRY(fd);
	}
	reveal->clone = mountapi_clone(fd, "");
	/* What is mounted upon it cannot be taken off: it came from a namespace with more rights
	 * (mount_namespaces(7)). */
	if (reveal->clone == -EINVAL && reveal->ret_locked) {
		reveal->clone = mountapi_clone_all(fd);
		*reveal->ret_locked = reveal->clone >= 0;
	}
	return reveal->clone < 0 ? fail(-reveal->clone, "cloning the mount (open_tree)") : 0;
}

static int reveal_mount(const struct dump *d, const struct mount *mount, int *ret, bool *ret_locked)
{
	struct reveal reveal = { .d = d, .mount = mount, .clone = -1, .ret_locked = ret_locked };
	uint32_t user;
	AUTO_CLOSE int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (mount->detached >= 0) {
		*ret = fcntl(mount->detached, F_DUPFD_CLOEXEC, 3);
		return *ret < 0 ? fail_errno("duplicating a descriptor") : 0;
	}
	if (proc < 0)
		return fail_errno("opening /proc");
	reveal.proc = proc;
	/* A copy of the namespace that belongs to another user namespace cannot be changed as one likes. */
	user = d->facts->ids || mount->space->namespace->owner ? CLONE_NEWUSER : 0;
	TRY(namespace_run_on(mount->space->namespace, user, clone_there, &reveal));
	*ret = reveal.clone;
	return 0;
}

int mount_reveal(const struct dump *d, const struct mount *mount, int *ret)
{
	return reveal_mount(d, mount, ret, NULL);
}

static int save_content(struct dump *d, struct superblock *super)
{
	AUTO_CLOSE int clone = -1;
	bool locked = false;
	struct stat st;

	LOG_SCOPE("%.80s", super->widest->entry->mountpoint);
	TRY(reveal_mount(d, super->widest, &clone, &locked));
	if (fstat(clone, &st) < 0)
		return fail_errno("looking at its root");
	if (!S_ISDIR(st.st_mode))
		return refuse(EOPNOTSUPP,
			      "only a file of a tmpfs is mounted there, the rest of it cannot be seen: take it from "
			      "outside with --external mnt[%s]:NAME",
			      super->widest->entry->mountpoint);
	return content_dump(d, clone, super->dev, locked);
}

int pins_check(const struct dump *d, const struct mount *mount)
{
	AUTO_CLOSE int clone = -1;

	TRY(mount_reveal(d, mount, &clone));
	return mount_pins.check(d, clone, mount->entry->mountpoint);
}

/* --enable-fs leaves out what is in it. */
static int save_pins(struct dump *d, const struct superblock *super)
{
	const struct mount *mount = super->widest;
	AUTO_CLOSE int clone = -1;

	if (fs_is_enabled(d, mount->fs->name))
		return 0;
	LOG_SCOPE("%.80s", mount->entry->mountpoint);
	TRY(mount_reveal(d, mount, &clone));
	return mount_pins.save(d, clone, mount->entry->mountpoint, super->dev);
}

static int save_contents(struct dump *d)
{
	for (struct superblock *super = dump_mounts(d)->supers; super; super = super->next) {
		const struct mount *widest = super->widest;

		if (super->saved || !widest || !widest->fs)
			continue;
		super->saved = true;
		if (widest->entry->made_outside)
			TRY(widest->parent ? overlay_save(d, super) : 0);
		else if (widest->entry->fstype == FSTYPE__AUTOFS && !widest->entry->with_plugin)
			TRY(autofs_save(d, super));
		else if (widest->entry->fstype == FSTYPE__FUSE && !widest->entry->with_plugin)
			TRY(fuse_save(d, super));
		else if (widest->fs->type == FSTYPE__BINFMT_MISC)
			TRY(binfmt_save(d, super));
		else if (widest->fs->content)
			TRY(save_content(d, super));
		else if (widest->fs->pins)
			TRY(save_pins(d, super));
	}
	return 0;
}

static int save_removed(struct dump *d, const struct mount *mount)
{
	AUTO_CLOSE int clone = -1, fd = -1;
	char path[64];

	LOG_SCOPE("%.80s", mount->entry->mountpoint);
	TRY(mount_reveal(d, mount, &clone));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", clone);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOATIME | O_CLOEXEC); /* a fifo may have no writer */
	return fd < 0 ? fail_errno("opening what is mounted there") : content_dump_removed(d, fd, mount->entry->mnt_id);
}

/* Nobody makes those in a user namespace, and they can be opened only if the file system was not made there either. */
static bool has_devices(int dir, dev_t dev)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSEDIR DIR *list = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool found = false;
	struct stat st;

	while (list && !found && (entry = readdir(list))) {
		AUTO_CLOSE int below = -1;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0 || st.st_dev != dev)
			continue;
		if (S_ISDIR(st.st_mode))
			below = openat(fd, entry->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		found = ((S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) && st.st_rdev) ||
			(below >= 0 && has_devices(below, dev));
	}
	return found;
}

/* Made outside of the user namespace of the tree: there may be devices in it (systemd-nspawn -U). */
static int find_privileged(const struct dump *d, const struct mount_space *space)
{
	for (struct mount *m = space->root; d->facts->ids && m; m = mount_next(m)) {
		AUTO_CLOSE int clone = -1;
		bool locked = false;

		if (m->super->widest != m || !m->fs || !m->fs->content || m->entry->made_outside)
			continue;
		LOG_SCOPE("%.80s", m->entry->mountpoint);
		TRY(reveal_mount(d, m, &clone, &locked));
		m->entry->has_privileged = m->entry->privileged =
			locked || (!(m->entry->flags & MS_NODEV) && has_devices(clone, m->seen->dev));
		if (locked)
			dump_report_loss(d, "that nobody in the user namespace can take off what is mounted there; "
					    "afterwards its root can");
	}
	return 0;
}

int mount_dump_write(struct dump *d, struct namespace *ns)
{
	AUTO(image_close) struct image *image = NULL;
	const struct mount_space *space = ns->data;

	TRY(find_privileged(d, space));

	TRY(image_create(dump_store(d), &image, IMAGE_MOUNTPOINTS, ns->id));
	for (size_t i = 0; i < space->mounts.n; i++) {
		pid_space_note(space->mounts.items[i]);
		TRY(image_write(image, space->mounts.items[i]->entry));
	}
	TRY(image_finish(&image));
	for (const struct mount *m = space->root; m; m = mount_next(m))
		if (pty_is_mounted(m))
			pty_dump_warn(d, m);
		else if (m->entry->has_removed && !removed_is_saved_with(dump_mounts(d), m))
			TRY(save_removed(d, m));
	return save_contents(d);
}
