/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mounts of files and directories that were removed since: what is mounted there is saved, and made again without a
 * name in the file system that it is of. Only what has a name can be mounted, so it has one until then. Mounts of the
 * same one share it.
 */
#include "object/mount/removed.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "kern/mountapi.h"
#include "object/mount/collect.h"
#include "object/mount/content/content-restore.h"
#include "object/mount/fs/fs.h"
#include "object/mount/mount-set.h"
#include "object/mount/save.h"
#include "object/mount/tree.h"
#include "session/session.h"

/* --- dump --- */

static void note_removed(struct mount_space *space, int id, const struct statx *stx)
{
	if (S_ISDIR(stx->stx_mode) || S_ISREG(stx->stx_mode) || S_ISFIFO(stx->stx_mode))
		*vector_push(&space->removed) =
			(struct removed){ id, stx->stx_ino, S_ISDIR(stx->stx_mode) ? 0 : stx->stx_nlink };
}

static const struct removed *find_noted(const struct mount *mount)
{
	const struct mount_space *space = mount->space;

	for (size_t i = 0; i < space->removed.n; i++)
		if (space->removed.items[i].id == mount->seen->id)
			return &space->removed.items[i];
	return NULL;
}

void removed_find(struct mount_space *space)
{
	for (size_t i = 0; i < space->seen.n; i++) {
		const struct proc_mount *seen = &space->seen.items[i];
		AUTO_CLOSE int fd = -1;
		struct statx stx;

		if (!text_ends(seen->root, REMOVED))
			continue;
		fd = open(seen->mountpoint, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 &&
		    statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_NLINK | STATX_INO | STATX_MNT_ID, &stx) == 0 &&
		    (int)stx.stx_mnt_id == seen->id)
			note_removed(space, seen->id, &stx);
	}
}

const struct mount *removed_find_above(const struct mount *mount)
{
	const struct mount *root = mount->space->root;

	return root->from_root && mount_is_of_root(mount) ? root : mount_find_external_above(mount);
}

/* Another mount lies upon it. */
static int find_hidden(const struct dump *d, const struct mount *mount)
{
	AUTO_CLOSE int clone = -1;
	struct statx stx;

	TRY(mount_reveal(d, mount, &clone));
	if (statx(clone, "", AT_EMPTY_PATH, STATX_TYPE | STATX_NLINK | STATX_INO, &stx) < 0)
		return fail_errno("looking at what is mounted there");
	note_removed(mount->space, mount->seen->id, &stx);
	return 0;
}

int removed_dump(const struct dump *d, const struct mount *mount)
{
	const struct removed *removed = find_noted(mount);

	if (!removed_find_above(mount) && (!mount->fs || !mount->fs->content))
		return mount_refuse(mount, "what is mounted there was removed");
	if (!removed) {
		TRY(find_hidden(d, mount));
		removed = find_noted(mount);
	}
	if (!removed)
		return mount_refuse(mount, "what is mounted there was removed, and is no plain file");
	if (removed->links)
		return mount_refuse(mount, "what is mounted there was removed, but has other names");
	mount->entry->has_removed = true;
	mount->entry->removed = removed->inode;
	return 0;
}

/* --- restore --- */

/* Which mount has its content: the first one. */
static struct mount *find_first(struct restore *r, const struct mount *mount)
{
	struct mount *m;

	for_each_mount(m, restore_mounts(r))
		if (m->entry->has_removed && m->entry->root_dev == mount->entry->root_dev &&
		    m->entry->removed == mount->entry->removed)
			return m;
	return NULL;
}

bool removed_is_saved_with(const struct mount_set *set, const struct mount *mount)
{
	struct mount *m;

	for_each_mount(m, set)
		if (m->entry->has_removed && m->entry->root_dev == mount->entry->root_dev &&
		    m->entry->removed == mount->entry->removed)
			return m != mount;
	return false;
}

struct brief_name {
	int dir; /* where it gets a name for a while */
	const char *name;
};

static int make_directory(const struct brief_name *making)
{
	int fd;

	if (mkdirat(making->dir, making->name, 0700) < 0)
		return -errno;
	fd = openat(making->dir, making->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int make_file(const struct brief_name *making, mode_t type)
{
	int fd;

	if (S_ISFIFO(type) && mkfifoat(making->dir, making->name, 0600) < 0)
		return -errno;
	fd = openat(making->dir, making->name,
		    (S_ISFIFO(type) ? O_NONBLOCK : O_CREAT | O_EXCL) | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int make_one(const struct brief_name *making, mode_t type)
{
	return S_ISDIR(type) ? make_directory(making) : make_file(making, type);
}

/* The directory of its old name, if it is there; else the root of the file system. */
static int open_old_directory(int root, const char *below, const char **ret_leaf)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
	const char *slash = below ? strrchr(below, '/') : NULL;
	AUTO_FREE char *above = slash ? xstrdup(below) : NULL;

	*ret_leaf = slash ? slash + 1 : below;
	if (above)
		above[slash - below] = 0;
	return below && *below ? (int)syscall(SYS_openat2, root, above ?: ".", &how, sizeof(how)) : -1;
}

struct removal {
	struct restore *r;
	struct mount *mount;
	const char *below;
	int root;
};

/* By its old name, so that mountinfo shows it, or another one if that is taken by now. */
static int make_new(void *arg, mode_t type)
{
	const struct removal *of = arg;
	struct mount *mount = of->mount;
	const char *leaf;
	AUTO_CLOSE int dir = open_old_directory(of->root, of->below, &leaf);
	struct brief_name making = { dir, leaf };
	int fd = dir < 0 ? -ENOENT : make_one(&making, type);

	if (fd < 0) {
		auto_close(&dir);
		dir = openat(of->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		making.dir = dir;
		making.name = pool_printf(of->r->pool, ".criu-removed-%d-%u", getpid(), mount->entry->mnt_id);
		fd = make_one(&making, type);
	}
	if (fd < 0)
		return fail(-fd, "making what had been removed, for a moment");
	mount->removed_dir = TAKE_FD(dir);
	mount->removed_name = pool_string(of->r->pool, making.name);
	return fd;
}

int removed_make(struct restore *r, struct mount *mount, int root, const char *below)
{
	struct mount *first = find_first(r, mount);
	struct removal of = { r, first, below, root };

	if (first->removed_fd < 0)
		first->removed_fd = content_restore_removed(r, first, make_new, &of);
	TRY(first->removed_fd);
	mount->fd = mountapi_clone(first->removed_fd, "");
	return mount->fd < 0 ? fail(-mount->fd, "cloning what was removed (open_tree)") : 0;
}

/* It is still what we have made. */
static bool is_ours(const struct mount *mount, struct stat *there)
{
	struct stat made;

	return fstat(mount->removed_fd, &made) == 0 &&
	       fstatat(mount->removed_dir, mount->removed_name, there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       there->st_ino == made.st_ino && there->st_dev == made.st_dev;
}

void removed_done(struct mount_set *set)
{
	struct mount *m;
	struct stat there;

	for_each_mount(m, set) {
		if (m->removed_name && is_ours(m, &there))
			(void)unlinkat(m->removed_dir, m->removed_name, S_ISDIR(there.st_mode) ? AT_REMOVEDIR : 0);
		m->removed_name = NULL;
		auto_close(&m->removed_dir);
		m->removed_dir = -1;
	}
}
