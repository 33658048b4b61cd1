/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Paths of inodes on file systems whose file handles are no help (overlayfs): looked for near the task, where the user
 * says (with --force-irmap in the usual places, too), and at last on the whole file system. All paths are those that
 * the task sees.
 */
#include "object/file/notify/path.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/table.h"
#include "kern/proc/mountinfo.h"
#include "object/file/file-state.h"
#include "object/file/file-dump.h"
#include "object/file/notify/handle.h"
#include "object/mount/mount.h"
#include "session/stats.h"

#define SCAN_FDS     64
#define WALK_AT_MOST 4000000 /* files; some seconds */

/* One file system, as one mount namespace shows it. */
struct walked {
	dev_t dev;
	int root;
	struct table *paths; /* inode → path, in the pool of the dump */
};

static __thread struct {
	uint64_t ino;
	uint32_t dev;
	char path[PATH_MAX];
	struct walked *walked;
	struct pool *pool;
	size_t left;
} wanted; /* nftw(3) passes nothing on */

static int look_at_path(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (st->st_ino != wanted.ino || st->st_dev != handle_dev(wanted.dev))
		return 0;
	snprintf(wanted.path, sizeof(wanted.path), "%s", path);
	return 1;
}

static const char *scan_for_inode(const struct dump *d, uint64_t ino, uint32_t dev)
{
	static const char *const usual[] = { "/etc",	   "/var/spool", "/var/log",
					     "/usr/share", "/lib/udev",	 "/usr/lib/udev" };
	const struct opt_list *paths = &d->options->irmap_scan_paths;

	wanted.ino = ino;
	wanted.dev = dev;
	for (size_t i = 0; i < paths->n; i++)
		if (nftw(paths->items[i], look_at_path, SCAN_FDS, FTW_PHYS) == 1)
			return pool_string(d->pool, wanted.path);
	for (size_t i = 0; d->options->force_irmap && i < ARRAY_SIZE(usual); i++)
		if (nftw(usual[i], look_at_path, SCAN_FDS, FTW_PHYS) == 1)
			return pool_string(d->pool, wanted.path);
	return NULL;
}

/* --- the whole file system: once, for all inodes of it --- */

static int note_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (st->st_dev == wanted.walked->dev && !table_find(wanted.walked->paths, st->st_ino))
		table_set(wanted.walked->paths, st->st_ino, pool_string(wanted.pool, path));
	return --wanted.left == 0;
}

static struct walked *walk_tree(const struct dump *d, const struct handle_mounts *mounts, dev_t dev)
{
	struct walked *walked = pool_new(d->pool, struct walked);

	*walked = (struct walked){ dev, mounts->root, table_create() };
	*vector_push(&file_dump_of(d)->walked) = walked;
	wanted.walked = walked;
	wanted.pool = d->pool;
	wanted.left = WALK_AT_MOST;
	log_info("Looking through the whole file system for what is watched: --irmap-scan-path tells where to look "
		 "first");
	for (size_t i = 0; i < mounts->all->n && wanted.left; i++)
		if (mounts->all->items[i].dev == dev)
			(void)nftw(mounts->all->items[i].mountpoint, note_file, SCAN_FDS, FTW_PHYS | FTW_MOUNT);
	return walked;
}

static const char *find_walked(const struct dump *d, const struct handle_mounts *mounts, uint64_t ino, uint32_t dev)
{
	struct walked *walked = NULL;
	const char *path;

	for (size_t i = 0; i < file_dump_of(d)->walked.n && !walked; i++)
		if (file_dump_of(d)->walked.items[i]->dev == handle_dev(dev) &&
		    file_dump_of(d)->walked.items[i]->root == mounts->root)
			walked = file_dump_of(d)->walked.items[i];
	if (!walked)
		walked = walk_tree(d, mounts, handle_dev(dev));
	path = table_find(walked->paths, ino);
	return path && handle_is_inode(path, ino, dev) ? path : NULL;
}

void path_forget_walks(struct file_dump *files)
{
	for (size_t i = 0; i < files->walked.n; i++)
		table_destroy(&files->walked.items[i]->paths);
	vector_done(&files->walked);
}

/* --- near the task --- */

/* The path itself, or a directory it lies in. */
static bool find_above(char *path, uint64_t ino, uint32_t dev)
{
	while (path[0] == '/' && path[1]) {
		if (handle_is_inode(path, ino, dev))
			return true;
		*strrchr(path, '/') = 0;
	}
	return false;
}

/* Who watches a file often has it open as well, or something below it: tail -f, editors, servers that read their
 * settings. */
static const char *find_near(const struct dump *d, const struct task *task, uint64_t ino, uint32_t dev)
{
	static const char *const names[] = { "cwd", "root", "exe" };
	int proc = task->dump->proc;
	AUTO_FREE int *numbers = NULL;
	int n = fd_list(proc, "fd", &numbers);
	char name[32], path[PATH_MAX];

	for (int i = -(int)(ARRAY_SIZE(names)); i < n; i++) {
		if (i < 0)
			snprintf(name, sizeof(name), "%s", names[-i - 1]);
		else
			snprintf(name, sizeof(name), "fd/%d", numbers[i]);
		if (file_readlink(proc, name, path, sizeof(path)) > 0 && find_above(path, ino, dev))
			return pool_string(d->pool, path);
	}
	return handle_is_inode("/", ino, dev) ? "/" : NULL;
}

static const char *find_path(const struct dump *d, const struct task *task, const struct handle_mounts *mounts,
			     uint64_t ino, uint32_t dev, bool deleted)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	const char *path;

	if (mount_stay_begin(mounts->root, &stay) < 0)
		return NULL;
	path = deleted ? NULL : find_near(d, task, ino, dev);
	if (!path)
		path = scan_for_inode(d, ino, dev);
	return path || deleted ? path : find_walked(d, mounts, ino, dev);
}

const char *path_of_inode(const struct dump *d, const struct task *task, const struct handle_mounts *mounts,
			  uint64_t ino, uint32_t dev, bool deleted)
{
	const char *path;

	stats_start(d->stats, STATS_IRMAP);
	path = find_path(d, task, mounts, ino, dev, deleted);
	stats_stop(d->stats, STATS_IRMAP);
	return path;
}
