/* SPDX-License-Identifier: GPL-2.0-only */
/* Opens files again by what their records tell. */
#include "object/file/regular/open.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/file/deleted/deleted.h"
#include "object/file/regular/procfs.h"
#include "object/file/regular/walk.h"
#include "object/file/validate.h"
#include "object/mount/mount.h"
#include "session/given.h"

#define SCAN_FDS 64

/* Nothing may be made or cut off when a file is opened again. O_TMPFILE contains O_DIRECTORY. */
static int flags_for_reopen(const RegFileEntry *record, uint32_t more_flags)
{
	uint32_t flags = record->flags;

	if ((flags & O_TMPFILE) == O_TMPFILE)
		flags &= ~(uint32_t)O_TMPFILE;
	flags &= ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_ASYNC);
	return (int)(flags | more_flags | O_NOCTTY | O_CLOEXEC);
}

int regular_root(const struct restore *r, const RegFileEntry *record)
{
	return mount_restore_root(r, record->has_mnt_id ? record->mnt_id : -1);
}

static int open_inherited(struct restore *r, const RegFileEntry *record, int *ret_fd)
{
	const char *key = record->name;
	int found = given_descriptor(r, key[0] == '/' ? key + 1 : key, ret_fd);

	/* "/" itself: the key would be empty */
	return found == -ENOENT || !key[0] ? -ENOENT : found;
}

static bool is_device(const struct stat *st, const RegFileEntry *record)
{
	return (st->st_mode & S_IFMT) == (record->mode & S_IFMT) && (uint32_t)st->st_rdev == record->rdev;
}

static __thread struct {
	const RegFileEntry *record;
	char path[PATH_MAX];
} wanted; /* nftw(3) passes nothing on */

static int look_at_path(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (type != FTW_F || !is_device(st, wanted.record))
		return 0;
	snprintf(wanted.path, sizeof(wanted.path), "%s", path);
	return 1;
}

/* All that openat2(2) knows; what else a record may have in its flags is no matter of opening, and would be refused. */
#define OPEN_FLAGS                                                                                                    \
	(O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | \
	 O_PATH | O_NOCTTY | O_CLOEXEC)

/*
 * A path leads through the links below /proc/PID (fd/N, cwd, map_files) only if somebody wrote it into an image by
 * hand: the kernel never tells such a path of an open file. They would lead to files of criu's own.
 */
static int open_plain(const char *name, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags & OPEN_FLAGS), .resolve = RESOLVE_NO_MAGICLINKS };

	if (flags & O_PATH)
		how.flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	return regular_open_path(name, &how);
}

static int mount_of(const RegFileEntry *record)
{
	return record->has_mnt_id ? record->mnt_id : -1;
}

void regular_place(const struct restore *r, const RegFileEntry *record, struct mount_place *ret)
{
	mount_restore_place(r, mount_of(record), record->name, ret);
}

/* On the mount that it was open on. -errno, unlogged. */
static int open_place(struct restore *r, const RegFileEntry *record, int flags, int *ret_fd)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	struct mount_place place;
	AUTO_CLOSE int fd = -1;
	char name[32];
	int covered;

	regular_place(r, record, &place);
	if (!*place.path) {
		*ret_fd = flags & O_PATH ? mount_restore_detached(r, mount_of(record)) : -ENOENT;
		if (*ret_fd != -ENOENT)
			return *ret_fd < 0 ? *ret_fd : 0;
		snprintf(name, sizeof(name), "/proc/self/fd/%d", place.root);
		*ret_fd = open(name, flags & ~O_NOFOLLOW);
		return *ret_fd < 0 ? -errno : 0;
	}
	TRY(mount_stay_begin(place.root, &stay));
	fd = open_plain(place.path, flags);
	covered = fd < 0 ? -errno : -EXDEV;
	mount_stay_end(&stay);
	if (place.exact && (fd < 0 || !mount_restore_is_on(r, mount_of(record), fd))) {
		int error = mount_restore_open_covered(r, mount_of(record), place.path, flags & OPEN_FLAGS, ret_fd);

		if (error == 0)
			return 0;
		if (fd >= 0)
			log_warn("%s was open on a mount that another one covers now; it is opened on that one",
				 record->name);
	}
	if (fd < 0)
		return covered;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* --evasive-devices: the device may have another name here. */
static int open_elsewhere(struct restore *r, const RegFileEntry *record, int flags, int *ret_fd)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;

	TRY(mount_stay_begin(regular_root(r, record), &stay));
	wanted.record = record;
	if (nftw("/dev", look_at_path, SCAN_FDS, FTW_PHYS) != 1)
		return -ENOENT;
	log_info("%s is found as %s", record->name, wanted.path);
	*ret_fd = open_plain(wanted.path, flags);
	return *ret_fd < 0 ? -errno : 0;
}

static bool is_it(int fd, const RegFileEntry *record)
{
	struct stat st;

	return !record->has_rdev || (fstat(fd, &st) == 0 && is_device(&st, record));
}

static int open_again(struct restore *r, const RegFileEntry *record, int flags, int *ret_fd)
{
	AUTO_CLOSE int fd = -1;
	int error = deleted_open(r, record, flags, ret_fd);

	if (error != -ENOENT)
		return error;
	error = open_place(r, record, flags, &fd);
	if (record->has_rdev && r->options->evasive_devices && (error < 0 || !is_it(fd, record))) {
		auto_close(&fd);
		fd = -1;
		error = open_elsewhere(r, record, flags, &fd);
	}
	if (error == -ENOENT)
		return fail(ENOENT,
			    "opening it again: put the file back where it was, or give another one with --inherit-fd "
			    "fd[N]:%s",
			    record->name + 1);
	if (error < 0)
		return fail(
			-error,
			"opening it again with flags 0%o: put the old one back, or give it with --inherit-fd fd[N]:%s",
			flags & ~(O_CLOEXEC | O_NOCTTY), record->name + 1);
	if (!is_it(fd, record))
		return refuse(ENODEV,
			      "it is another device now than %u:%u: --evasive-devices looks for that one below /dev",
			      major(record->rdev), minor(record->rdev));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int regular_open(struct restore *r, const RegFileEntry *record, uint32_t more_flags, int *ret_fd)
{
	AUTO_CLOSE int fd = -1;
	int inherited = open_inherited(r, record, &fd);

	if (inherited < 0 && inherited != -ENOENT)
		return inherited;
	if (inherited < 0) {
		TRY(open_again(r, record, flags_for_reopen(record, more_flags), &fd));
		if (!deleted_is_of_dead(r, record)) {
			TRY(procfs_check_opened(r, fd));
			TRY(validate_file(r->options, record, fd));
		}
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}
