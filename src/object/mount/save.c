/* SPDX-License-Identifier: GPL-2.0-only */
/* Dump of a mount namespace: its image, and the contents of file systems that live in memory only. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "kern/mountapi.h"
#include "object/mount/core.h"
#include "object/namespace/namespace.h"

/* A mount that shows the root of a file system and nothing that is mounted upon it. */
struct reveal {
	struct dump *d;
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

#define LAYERS_MAX 1000

/* In a copy of the namespace: takes off what lies on the place until the mount is seen there. */
static int uncover(const struct reveal *reveal, const struct mount *mount)
{
	for (unsigned i = 0; i < LAYERS_MAX; i++) {
		AUTO(proc_mounts_done) struct proc_mounts all = { 0 };
		AUTO_CLOSE int self = openat(reveal->proc, "thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC);
		AUTO_CLOSE int fd = open_point(mount->entry->mountpoint);
		const struct proc_mount *top;
		int id;

		TRY(fd);
		if (self < 0 || find_id(fd, &id) < 0)
			return fail_errno("looking at %s", mount->entry->mountpoint);
		TRY(proc_mounts_read(self, reveal->d->pool, &all));
		top = proc_mounts_find(&all, id);
		if (top && top->dev == mount->seen->dev && strcmp(top->root, mount->seen->root) == 0)
			return 0;
		if (umount2(mount->entry->mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return fail_errno("looking below what is mounted upon %s", mount->entry->mountpoint);
	}
	return refuse(ELOOP, "too much is mounted upon %s", mount->entry->mountpoint);
}

/* From the root on. A mount whose next one lies right upon it needs not be seen. */
static int uncover_all(const struct reveal *reveal, const struct mount *mount, const struct mount *next)
{
	if (!mount->parent)
		return 0;
	TRY(uncover_all(reveal, mount->parent, mount));
	if (next && strcmp(next->entry->mountpoint, mount->entry->mountpoint) == 0)
		return 0;
	return uncover(reveal, mount);
}

static int clone_there(void *arg)
{
	struct reveal *reveal = arg;
	const struct mount *mount = reveal->mount;
	AUTO_CLOSE int fd = open(mount->entry->mountpoint, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int id = -1;

	if (fd < 0 || find_id(fd, &id) < 0 || id != mount->seen->id || mount->seen->unbindable) {
		/* What we change and take off must stay as it is for all others. */
		if (unshare(CLONE_NEWNS) < 0 || mountapi_make_all_private() < 0)
			return fail_errno("making a copy of the mount namespace");
		TRY(uncover_all(reveal, mount, NULL));
		auto_close(&fd);
		fd = open_point(mount->entry->mountpoint);
		TRY(fd);
	}
	reveal->clone = mountapi_clone(fd, "");
	return reveal->clone < 0 ? fail(-reveal->clone, "cloning the mount (open_tree)") : 0;
}

static int save_content(struct dump *d, struct superblock *super)
{
	struct reveal reveal = { .d = d, .mount = super->widest, .clone = -1 };
	AUTO_CLOSE int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC), clone = -1;
	struct stat st;

	LOG_SCOPE("%.80s", super->widest->entry->mountpoint);
	if (proc < 0)
		return fail_errno("opening /proc");
	reveal.proc = proc;
	TRY(namespace_run(super->widest->space->namespace->task->dump->proc, CLONE_NEWNS, clone_there, &reveal));
	clone = reveal.clone;
	if (fstat(clone, &st) < 0)
		return fail_errno("looking at its root");
	if (!S_ISDIR(st.st_mode))
		return refuse(ENOTSUP,
			      "only a file of a tmpfs is mounted there, the rest of it can't be seen: take it from "
			      "outside with --external "
			      "mnt[%s]:NAME",
			      super->widest->entry->mountpoint);
	return content_dump(d, clone, super->dev);
}

static int save_contents(struct dump *d)
{
	for (struct superblock *super = d->mounts->supers; super; super = super->next) {
		const struct mount *widest = super->widest;

		if (super->saved || !widest || !widest->fs || !widest->fs->content)
			continue;
		super->saved = true;
		TRY(save_content(d, super));
	}
	return 0;
}

int mount_dump_write(struct dump *d, struct namespace *ns)
{
	AUTO(image_close) struct image *image = NULL;
	const struct mount_space *space = ns->data;

	TRY(image_create(d->store, &image, IMAGE_MOUNTPOINTS, ns->id));
	for (size_t i = 0; i < space->mounts.n; i++)
		TRY(image_write(image, space->mounts.items[i]->entry));
	TRY(image_finish(&image));
	for (const struct mount *m = space->root; m; m = mount_next(m))
		if (pty_is_mounted(m))
			pty_dump_warn(d, m);
	return save_contents(d);
}
