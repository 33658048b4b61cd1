/* SPDX-License-Identifier: GPL-2.0-only */
/* Inodes without a path. A handle is opened through any mount of its file system; the kernel then tells a path. */
#include "object/file/notify/handle.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "kern/proc/mountinfo.h"
#include "object/file/file-state.h"
#include "object/file/file-dump.h"
#include "object/file/notify/path.h"
#include "object/file/regular/walk.h"
#include "object/mount/mount.h"
#include "session/survey.h"

#define HANDLE_WORDS 16
#define HANDLE_BYTES (HANDLE_WORDS * sizeof(uint64_t))

/* The kernel packs a device number for itself into 12 and 20 bits. */
dev_t handle_dev(uint32_t dev)
{
	return makedev(dev >> 20, dev & 0xfffff);
}

bool handle_is_inode(const char *path, uint64_t ino, uint32_t dev)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_ino == ino && st.st_dev == handle_dev(dev);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_handle(const struct dump *d, const char *value, FhEntry *record)
{
	const char *text = fdinfo_field(value, "f_handle");
	uint64_t bytes, type;
	uint8_t *to;

	if (!text || fdinfo_field_u64(value, "fhandle-bytes", 16, &bytes) < 0 ||
	    fdinfo_field_u64(value, "fhandle-type", 16, &type) < 0)
		return -ENOENT;
	if (bytes > HANDLE_BYTES)
		return refuse(EOPNOTSUPP, "its file system has handles of %llu bytes, the format has room for %zu",
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
	return handle_is_inode(path, ino, dev);
}

static int read_mounts(struct pool *pool, struct proc_mounts *ret)
{
	AUTO_CLOSE int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return proc < 0 ? fail_errno("opening /proc/self") : proc_mounts_read(proc, pool, ret);
}

/* Tries all mounts of the file system; calls the first that shows the inode at a path, or the first at all. */
static int open_by_mounts(const struct handle_mounts *mounts, FhEntry *record, uint64_t ino, uint32_t dev,
			  char path[PATH_MAX], int *ret_fd)
{
	int found = -1;

	path[0] = 0;
	for (size_t i = 0; i < mounts->all->n; i++) {
		const struct proc_mount *one = &mounts->all->items[i];
		int fd;

		if (one->dev != handle_dev(dev))
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

/* Those that the task sees. */
static int find_mounts(const struct dump *d, const struct task *task, struct handle_mounts *ret)
{
	*ret = (struct handle_mounts){ mount_dump_seen(d, task), mount_dump_root(d, task) };
	if (ret->all)
		return 0;
	ret->all = &file_dump_of(d)->mounts;
	return file_dump_of(d)->mounts.n ? 0 : read_mounts(d->pool, &file_dump_of(d)->mounts);
}

/* Opened by its path at the restore: on which mount it lies. */
static void note_mount(const struct dump *d, FhEntry *record, const struct handle_mounts *mounts)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	struct statx st;

	if (mount_stay_begin(mounts->root, &stay) == 0 &&
	    statx(AT_FDCWD, record->path, AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &st) == 0 && st.stx_mask & STATX_MNT_ID)
		record->mnt_id = (uint32_t)st.stx_mnt_id;
}

/* It has no path that can be found. When all files are known: perhaps the tree has it open. */
static void leave_open(const struct dump *d, const struct open_file *of, FhEntry *record, uint64_t ino, uint32_t dev)
{
	*vector_push(&file_dump_of(d)->watched) = (struct watched_inode){
		record, handle_dev(dev), ino, of->task->vpid, of->task_fd, of->task->comm,
	};
}

int handle_dump(const struct dump *d, const struct open_file *of, const char *value, uint64_t ino, uint32_t dev,
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
	    path[0]) {
		record->path = pool_string(d->pool, path);
	} else {
		record->path = (char *)path_of_inode(d, of->task, &mounts, ino, dev, fd >= 0);
		if (record->path)
			note_mount(d, record, &mounts);
	}
	record->has_mnt_id = mount_dump_id(d, (int)record->mnt_id) > 0;
	if (!record->path)
		leave_open(d, of, record, ino, dev);
	return 0;
}

static int find_open(const struct dump *d, const struct watched_inode *watched)
{
	uint32_t id = file_find_inode(d, watched->dev, watched->ino);

	LOG_SCOPE("task %d (%s)", watched->pid, watched->comm);
	LOG_SCOPE("descriptor %d", watched->fd);
	watched->record->has_file = id != 0;
	watched->record->file = id;
	if (id)
		return 0;
	return refuse(
		ENOENT,
		"inode %llu of device %u:%u is watched, but no path leads to it, and the tree does not have it open: "
		"put the file back, remove the watch, or tell with --irmap-scan-path DIR where it lies (as the "
		"task sees it)",
		(unsigned long long)watched->ino, major(watched->dev), minor(watched->dev));
}

int handle_finish(const struct dump *d)
{
	for (size_t i = 0; i < file_dump_of(d)->watched.n; i++)
		TRY(dump_go_on(d, find_open(d, &file_dump_of(d)->watched.items[i])));
	return 0;
}

/* --- restore --- */

static int open_watched(struct restore *r, const FhEntry *record, int *ret_fd)
{
	const struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS };
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;

	TRY(mount_stay_begin(mount_restore_root(r, record->has_mnt_id ? (int)record->mnt_id : -1), &stay));
	*ret_fd = regular_open_path(record->path, &how);
	return *ret_fd < 0 ? fail_errno("opening %s, which was watched", record->path) : 0;
}

int handle_link(const struct restore *r, const FhEntry *record)
{
	return record->has_file ? file_use(r, record->file, NULL) : 0;
}

/* The tree has it open: the watch is put on that very file, if it has been deleted. */
static int open_of_tree(struct restore *r, const FhEntry *record, int *ret_fd)
{
	struct file *file = file_find(r, record->file);
	int fd;

	TRY(file_get_late_fd(r, file, &fd));
	*ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (*ret_fd < 0)
		return fail_errno("duplicating a descriptor");
	file_put(r, file);
	return 0;
}

int handle_open(struct restore *r, const FhEntry *record, uint64_t ino, uint32_t dev, int *ret_fd)
{
	AUTO(proc_mounts_done) struct proc_mounts mounts = { 0 };
	AUTO(pool_destroy) struct pool *pool = NULL;
	FhEntry copy = *record;
	char path[PATH_MAX];

	if (record->n_handle < HANDLE_WORDS || record->bytes > HANDLE_BYTES)
		return refuse(EINVAL, "files.img: a file handle of %u bytes makes no sense", record->bytes);
	if (record->has_file)
		return open_of_tree(r, record, ret_fd);
	if (record->path)
		return open_watched(r, record, ret_fd);
	pool = pool_create();
	TRY(read_mounts(pool, &mounts));
	if (open_by_mounts(&(struct handle_mounts){ &mounts, -1 }, &copy, ino, dev, path, ret_fd) < 0)
		return refuse(ENOENT, "inode %llu of device %u:%u, which was watched, cannot be found",
			      (unsigned long long)ino, major(handle_dev(dev)), minor(handle_dev(dev)));
	return 0;
}

const char *handle_mount_path(const struct dump *d, const struct task *task, int mnt_id)
{
	struct handle_mounts mounts;
	const struct proc_mount *mount =
		find_mounts(d, task, &mounts) < 0 ? NULL : proc_mounts_find(mounts.all, mnt_id);

	return mount ? mount->mountpoint : NULL;
}

const char *handle_device_path(const struct dump *d, const struct task *task, uint32_t dev, uint32_t *ret_mnt_id)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	struct handle_mounts mounts;

	if (find_mounts(d, task, &mounts) < 0 || mount_stay_begin(mounts.root, &stay) < 0)
		return NULL;
	for (size_t i = 0; i < mounts.all->n; i++) {
		const struct proc_mount *one = &mounts.all->items[i];
		struct stat st;

		/* Another mount may lie upon it. */
		if (one->dev != handle_dev(dev) || stat(one->mountpoint, &st) < 0 || st.st_dev != handle_dev(dev))
			continue;
		*ret_mnt_id = (uint32_t)one->id;
		return one->mountpoint;
	}
	return NULL;
}
