/* SPDX-License-Identifier: GPL-2.0-only */
/* Inodes without a path. A handle is opened through any mount of its file system; the kernel then tells a path. */
#include "object/file/notify/handle.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "kern/proc/mountinfo.h"
#include "object/file/core.h"
#include "object/mount/mount.h"
#include "session/stats.h"

#define HANDLE_WORDS 16
#define HANDLE_BYTES (HANDLE_WORDS * sizeof(uint64_t))
#define SCAN_FDS     64

/* The kernel packs a device number for itself into 12 and 20 bits. */
static dev_t user_dev(uint32_t dev)
{
	return makedev(dev >> 20, dev & 0xfffff);
}

static bool is_inode(const char *path, uint64_t ino, uint32_t dev)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_ino == ino && st.st_dev == user_dev(dev);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_handle(struct dump *d, const char *value, FhEntry *record)
{
	const char *text = fdinfo_field(value, "f_handle");
	uint64_t bytes, type;
	uint8_t *to;

	if (!text || fdinfo_field_u64(value, "fhandle-bytes", 16, &bytes) < 0 ||
	    fdinfo_field_u64(value, "fhandle-type", 16, &type) < 0)
		return -ENOENT;
	if (bytes > HANDLE_BYTES)
		return refuse(ENOTSUP, "its file system has handles of %llu bytes, the format has room for %zu",
			      (unsigned long long)bytes, HANDLE_BYTES);
	record->bytes = (uint32_t)bytes;
	record->type = (uint32_t)type;
	record->n_handle = HANDLE_WORDS;
	record->handle = pool_alloc(d->pool, HANDLE_BYTES);
	to = (uint8_t *)record->handle;
	for (size_t i = 0; i < bytes; i++) {
		int high = hex_digit(text[2 * i]), low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);

		if (low < 0)
			return refuse(EINVAL, "fdinfo shows a broken file handle: \"%s\"", value);
		to[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static int open_point(const char *mountpoint, int root)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;

	return mount_stay_begin(root, &stay) < 0 ? -1
						 : open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
}

/* A descriptor of the inode through one mount. -errno, unlogged. */
static int open_handle(const char *mountpoint, int root, const FhEntry *record)
{
	struct {
		struct file_handle head;
		uint8_t bytes[HANDLE_BYTES];
	} handle;
	AUTO_CLOSE int mount = open_point(mountpoint, root);
	int fd;

	if (mount < 0)
		return -errno;
	handle.head.handle_bytes = record->bytes;
	handle.head.handle_type = (int)record->type;
	memcpy(handle.head.f_handle, record->handle, record->bytes);
	fd = open_by_handle_at(mount, &handle.head, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A descriptor's path as the kernel tells it, which it does from the root of its namespace; what it leads to is looked
 * up there. */
static bool find_path(int fd, uint64_t ino, uint32_t dev, int root, char path[PATH_MAX])
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (file_readlink(AT_FDCWD, name, path, PATH_MAX) <= 0 || mount_stay_begin(root, &stay) < 0)
		return false;
	return is_inode(path, ino, dev);
}

static int read_mounts(struct pool *pool, struct proc_mounts *ret)
{
	AUTO_CLOSE int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return proc < 0 ? fail_errno("opening /proc/self") : proc_mounts_read(proc, pool, ret);
}

/* The mounts of one namespace, and its root directory; -1: ours. */
struct handle_mounts {
	const struct proc_mounts *all;
	int root;
};

/* Tries all mounts of the file system; calls the first that shows the inode at a path, or the first at all. */
static int open_by_mounts(const struct handle_mounts *mounts, FhEntry *record, uint64_t ino, uint32_t dev,
			  char path[PATH_MAX], int *ret_fd)
{
	int found = -1;

	path[0] = 0;
	for (size_t i = 0; i < mounts->all->n; i++) {
		const struct proc_mount *one = &mounts->all->items[i];
		int fd;

		if (one->dev != user_dev(dev))
			continue;
		fd = open_handle(one->mountpoint, mounts->root, record);
		if (fd < 0)
			continue;
		if (found >= 0)
			close(found);
		found = fd;
		record->mnt_id = (uint32_t)one->id;
		if (find_path(fd, ino, dev, mounts->root, path))
			break;
		path[0] = 0;
	}
	*ret_fd = found;
	return found < 0 ? -ENOENT : 0;
}

/* --- a scan, for file systems without handles --- */

static __thread struct {
	uint64_t ino;
	uint32_t dev;
	char path[PATH_MAX];
} wanted; /* nftw(3) passes nothing on */

static int look(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (st->st_ino != wanted.ino || st->st_dev != user_dev(wanted.dev))
		return 0;
	snprintf(wanted.path, sizeof(wanted.path), "%s", path);
	return 1;
}

static const char *scan(struct dump *d, uint64_t ino, uint32_t dev)
{
	static const char *const usual[] = { "/etc",	   "/var/spool", "/var/log",
					     "/usr/share", "/lib/udev",	 "/usr/lib/udev" };
	const struct opt_list *paths = &d->options->irmap_scan_paths;

	wanted.ino = ino;
	wanted.dev = dev;
	for (size_t i = 0; i < paths->n; i++)
		if (nftw(paths->items[i], look, SCAN_FDS, FTW_PHYS) == 1)
			return pool_string(d->pool, wanted.path);
	for (size_t i = 0; d->options->force_irmap && i < sizeof(usual) / sizeof(*usual); i++)
		if (nftw(usual[i], look, SCAN_FDS, FTW_PHYS) == 1)
			return pool_string(d->pool, wanted.path);
	return NULL;
}

/* The path itself, or a directory it lies in. */
static bool find_above(char *path, uint64_t ino, uint32_t dev)
{
	while (path[0] == '/' && path[1]) {
		if (is_inode(path, ino, dev))
			return true;
		*strrchr(path, '/') = 0;
	}
	return false;
}

/* Who watches a file often has it open as well, or something below it: tail -f, editors, servers that read their
 * settings. */
static const char *find_near(struct dump *d, const struct open_file *of, uint64_t ino, uint32_t dev)
{
	static const char *const names[] = { "cwd", "root", "exe" };
	int proc = of->task->dump->proc;
	AUTO_FREE int *numbers = NULL;
	int n = fd_list(proc, "fd", &numbers);
	char name[32], path[PATH_MAX];

	for (int i = -(int)(sizeof(names) / sizeof(*names)); i < n; i++) {
		if (i < 0)
			snprintf(name, sizeof(name), "%s", names[-i - 1]);
		else
			snprintf(name, sizeof(name), "fd/%d", numbers[i]);
		if (file_readlink(proc, name, path, sizeof(path)) > 0 && find_above(path, ino, dev))
			return pool_string(d->pool, path);
	}
	return NULL;
}

static const char *scan_clocked(struct dump *d, uint64_t ino, uint32_t dev)
{
	const char *path;

	stats_start(d->stats, STATS_IRMAP);
	path = scan(d, ino, dev);
	stats_stop(d->stats, STATS_IRMAP);
	return path;
}

/* Those that the task sees. */
static int find_mounts(struct dump *d, const struct task *task, struct handle_mounts *ret)
{
	*ret = (struct handle_mounts){ mount_dump_seen(d, task), mount_dump_root(d, task) };
	if (ret->all)
		return 0;
	ret->all = &d->files->mounts;
	return d->files->mounts.n ? 0 : read_mounts(d->pool, &d->files->mounts);
}

int handle_dump(struct dump *d, const struct open_file *of, const char *value, uint64_t ino, uint32_t dev,
		FhEntry **ret)
{
	FhEntry *record = *ret = pool_new(d->pool, FhEntry);
	struct handle_mounts mounts;
	AUTO_CLOSE int fd = -1;
	char path[PATH_MAX];
	int parsed;

	fh_entry__init(record);
	record->n_handle = HANDLE_WORDS;
	record->handle = pool_alloc(d->pool, HANDLE_BYTES);
	parsed = parse_handle(d, value, record);
	if (parsed < 0 && parsed != -ENOENT)
		return parsed;
	TRY(find_mounts(d, of->task, &mounts));
	if (parsed == 0 && !d->options->force_irmap && open_by_mounts(&mounts, record, ino, dev, path, &fd) == 0 &&
	    path[0])
		record->path = pool_string(d->pool, path);
	record->has_mnt_id = mount_dump_id(d, (int)record->mnt_id) > 0;
	if (!record->path && fd < 0)
		record->path = (char *)find_near(d, of, ino, dev);
	if (!record->path)
		record->path = (char *)scan_clocked(d, ino, dev);
	if (!record->path && fd >= 0)
		return refuse(
			ENOENT,
			"inode %llu of device %u:%u is watched, but has no path any more: remove the watch, or put the "
			"file back",
			(unsigned long long)ino, major(user_dev(dev)), minor(user_dev(dev)));
	if (!record->path)
		return refuse(ENOTSUP,
			      "inode %llu of device %u:%u is watched, and its path can't be found: tell with "
			      "--irmap-scan-path "
			      "where to look",
			      (unsigned long long)ino, major(user_dev(dev)), minor(user_dev(dev)));
	return 0;
}

/* --- restore --- */

static int open_watched(struct restore *r, const FhEntry *record, int *ret_fd)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;

	TRY(mount_stay_begin(mount_restore_root(r, record->has_mnt_id ? (int)record->mnt_id : -1), &stay));
	*ret_fd = open(record->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd < 0 ? fail_errno("opening %s, which was watched", record->path) : 0;
}

int handle_open(struct restore *r, const FhEntry *record, uint64_t ino, uint32_t dev, int *ret_fd)
{
	AUTO(proc_mounts_done) struct proc_mounts mounts = { 0 };
	AUTO(pool_destroy) struct pool *pool = NULL;
	FhEntry copy = *record;
	char path[PATH_MAX];

	if (record->n_handle < HANDLE_WORDS || record->bytes > HANDLE_BYTES)
		return refuse(EINVAL, "files.img: a file handle of %u bytes makes no sense", record->bytes);
	if (record->path)
		return open_watched(r, record, ret_fd);
	pool = pool_create();
	TRY(read_mounts(pool, &mounts));
	if (open_by_mounts(&(struct handle_mounts){ &mounts, -1 }, &copy, ino, dev, path, ret_fd) < 0)
		return refuse(ENOENT, "inode %llu of device %u:%u, which was watched, can't be found",
			      (unsigned long long)ino, major(user_dev(dev)), minor(user_dev(dev)));
	return 0;
}

const char *handle_mount_path(struct dump *d, const struct task *task, int mnt_id)
{
	struct handle_mounts mounts;
	const struct proc_mount *mount =
		find_mounts(d, task, &mounts) < 0 ? NULL : proc_mounts_find(mounts.all, mnt_id);

	return mount ? mount->mountpoint : NULL;
}

const char *handle_device_path(struct dump *d, const struct task *task, uint32_t dev, uint32_t *ret_mnt_id)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	struct handle_mounts mounts;

	if (find_mounts(d, task, &mounts) < 0 || mount_stay_begin(mounts.root, &stay) < 0)
		return NULL;
	for (size_t i = 0; i < mounts.all->n; i++) {
		const struct proc_mount *one = &mounts.all->items[i];
		struct stat st;

		/* Another mount may lie upon it. */
		if (one->dev != user_dev(dev) || stat(one->mountpoint, &st) < 0 || st.st_dev != user_dev(dev))
			continue;
		*ret_mnt_id = (uint32_t)one->id;
		return one->mountpoint;
	}
	return NULL;
}
