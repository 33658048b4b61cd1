/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore: where mounts come from that are not made anew. All in the mount namespace of criu. */
#include "object/mount/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/mount/fs/cgroup.h"
#include "object/mount/mount-set.h"
#include "object/mount/external.h"
#include "object/mount/tree.h"
#include "object/namespace/namespace.h"

/* Opens "below" in the directory, or the directory itself; no link is followed: roots of mounts have none in their
 * paths. */
static int open_below(int dir, const char *below, int *ret_fd)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };

	/* The thing itself may be a file. */
	*ret_fd = *below ? (int)syscall(SYS_openat2, dir, below, &how, sizeof(how)) : fcntl(dir, F_DUPFD_CLOEXEC, 0);
	return *ret_fd < 0 ? fail_errno("opening \"%s\" in what it shows a part of", below) : 0;
}

static int open_path(const char *path, int *ret_fd)
{
	*ret_fd = open(path, O_PATH | O_CLOEXEC);
	return *ret_fd < 0 ? fail_errno("opening %s, which is to be mounted there", path) : 0;
}

/* Of --external: always meant from the root. */
static int open_external(const char *path, int *ret_fd)
{
	AUTO_FREE char *whole = path[0] == '/' ? NULL : xprintf("/%s", path);

	return open_path(whole ?: path, ret_fd);
}

static int read_own_mounts(struct restore *r)
{
	AUTO_CLOSE int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct proc_mounts *own = &restore_mounts(r)->own;

	if (proc < 0)
		return fail_errno("opening /proc/self");
	return own->n ? 0 : proc_mounts_read(proc, r->pool, own);
}

/* By one of our own mounts of its file system. -ENOENT, unlogged: there is none. */
static int open_by_own_mounts(struct restore *r, const MntEntry *entry, int *ret_fd)
{
	struct proc_mounts *own = &restore_mounts(r)->own;

	TRY(read_own_mounts(r));
	for (size_t i = own->n; i-- > 0;) {
		const struct proc_mount *ours = &own->items[i];
		const char *below = (major(ours->dev) << 20 | minor(ours->dev)) == entry->root_dev
					    ? path_below(entry->root, ours->root)
					    : NULL;
		AUTO_CLOSE int point = -1;

		if (!below)
			continue;
		TRY(open_path(ours->mountpoint, &point));
		if (open_below(point, below, ret_fd) == 0)
			return 0;
	}
	return -ENOENT;
}

static const struct mount_space *find_main(struct restore *r)
{
	const struct mount_set *set = restore_mounts(r);

	for (size_t i = 0; i < set->spaces.n; i++)
		if (set->spaces.items[i]->namespace->of_root)
			return set->spaces.items[i];
	return NULL;
}

static int open_root(struct restore *r, const struct mount *root, int *ret_fd)
{
	const struct mount_space *main_space = find_main(r);
	const struct mount *above;
	const char *path, *below;
	int found;

	if (root->space == main_space && r->options->root)
		return open_path(r->options->root, ret_fd);
	found = external_path(r, root, &path);
	if (found != -ENOENT)
		return found < 0 ? found : open_external(path, ret_fd);
	if (main_space && root->space != main_space && main_space->root->entry->root_dev == root->entry->root_dev) {
		AUTO_CLOSE int main_root = -1;

		below = path_below(root->entry->root, main_space->root->entry->root);
		if (below) {
			TRY(outside_open(r, main_space->root, &main_root));
			return open_below(main_root, below, ret_fd);
		}
	}
	above = mount_find_external_above(root);
	if (above) {
		AUTO_CLOSE int dir = -1;

		TRY(outside_open(r, above, &dir));
		return open_below(dir, path_below(root->entry->root, above->entry->root), ret_fd);
	}
	found = open_by_own_mounts(r, root->entry, ret_fd);
	if (found != -ENOENT)
		return found;
	if (strcmp(root->entry->root, "/") == 0 && (root->entry->own_root || !root->entry->has_own_root))
		return open_path("/", ret_fd);
	return refuse(ENOENT,
		      "the root of its mount namespace is the directory %s of a file system that is not mounted here: "
		      "tell with --root "
		      "which directory it shall be",
		      root->entry->root);
}

static bool is_mounted_at(const char *path)
{
	struct statx stx;

	return statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, 0, &stx) == 0 && stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

int outside_open(struct restore *r, const struct mount *mount, int *ret_fd)
{
	const struct mount *above;
	AUTO_CLOSE int dir = -1;
	const char *path;
	int found;

	if (!mount->parent)
		return open_root(r, mount, ret_fd);
	found = external_path(r, mount, &path);
	if (found == 0 && mount->entry->has_below && !is_mounted_at(path))
		return -ENOENT;
	if (found == 0) {
		TRY(open_external(path, ret_fd));
		TRY(read_own_mounts(r));
		return cgroup_fs_open(r, mount, path, ret_fd);
	}
	if (found != -ENOENT)
		return found;
	above = mount->from_root ? mount->space->root : mount_find_external_above(mount);
	TRY(outside_open(r, above, &dir));
	return open_below(dir, path_below(mount->entry->root, above->entry->root), ret_fd);
}

/* The external mount that it is, or shows a part of. */
static const struct mount *find_source(const struct mount *mount)
{
	return mount_is_external(mount) || mount->from_root ? mount : mount_find_external_above(mount);
}

bool outside_is_covered(const struct mount *mount)
{
	const struct mount *source = find_source(mount);

	return source && source->entry->covered > 0;
}

int outside_uncover(struct restore *r, const struct mount *covered)
{
	const MntEntry *source = find_source(covered)->entry;
	const struct proc_mounts *own = &restore_mounts(r)->own;
	uint32_t there = 0;

	TRY(read_own_mounts(r));
	for (size_t i = 0; i < own->n; i++)
		there += strcmp(own->items[i].mountpoint, source->source) == 0;
	if (there <= source->covered) {
		log_warn("what was mounted there lay below %u other mounts at %s, which are not all there now: the "
			 "topmost is taken",
			 source->covered, source->source);
		return 0;
	}
	/* As slaves they tell nobody what is taken off here, but clones still know where they come from. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return fail_errno("making a copy of the mount namespace");
	for (uint32_t i = 0; i < source->covered; i++)
		if (umount2(source->source, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return fail_errno("looking below what is mounted at %s", source->source);
	return 0;
}
