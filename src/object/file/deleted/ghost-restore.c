/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deleted files, restore. The file is made under its old name if that is free (then /proc shows the same as before),
 * kept by an O_PATH descriptor, removed again at once, and filled: whoever needs it opens it through that descriptor.
 * Users may own the directories: see name.h.
 */
#include "object/file/deleted/ghost-restore.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/apart.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/log.h"
#include "image/image.h"
#include "image/payload.h"
#include "image/record.h"
#include "object/file/deleted/deleted.h"
#include "object/file/deleted/name.h"
#include "object/file/deleted/other-mount.h"
#include "object/file/file.h"
#include "object/file/regular/open.h"
#include "object/mount/mount.h"
#include "session/ids.h"

#define COPY_SIZE (1u << 20)

/* A file that was mounted itself has no directory in its mount: its name is that of its place then. */
static void find_place(const struct restore *r, const RegFileEntry *record, struct mount_place *ret)
{
	regular_place(r, record, ret);
	if (!*ret->path)
		*ret = (struct mount_place){ regular_root(r, record), record->name, false };
}

static int copy_bytes(struct image *image, int fd, uint64_t at, uint64_t size)
{
	AUTO_FREE char *block = xmalloc(COPY_SIZE);

	while (size) {
		size_t now = size < COPY_SIZE ? (size_t)size : COPY_SIZE;
		ssize_t got = image_read_some(image, block, now);
		int put;

		if (got <= 0)
			return got < 0 ? (int)got : 0;
		put = io_pwrite_pages(fd, block, (size_t)got, (off_t)at);
		if (put < 0)
			return fail(-put, "writing its content");
		at += (uint64_t)got;
		size -= (uint64_t)got;
	}
	return 0;
}

static int fill_chunks(struct image *image, const GhostFileEntry *entry, int fd)
{
	GhostChunkEntry *chunk;
	int more;

	while ((more = image_read(image, &chunk)) > 0)
		TRY(copy_bytes(image, fd, chunk->off, chunk->len));
	TRY(more);
	if (ftruncate(fd, (off_t)entry->size) < 0)
		return fail_errno("setting its size to %llu", (unsigned long long)entry->size);
	return 0;
}

static int fill_ghost(struct image *image, const GhostFileEntry *entry, int base)
{
	AUTO_CLOSE int fd = -1;
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", base);
	fd = open(name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("opening it to fill it");
	if (entry->has_chunks && entry->chunks)
		return fill_chunks(image, entry, fd);
	return copy_bytes(image, fd, 0, UINT64_MAX);
}

/* What stat(2) does not show. An ACL comes after the mode. */
static void set_hidden_attributes(const GhostFileEntry *entry, const char *name)
{
	AUTO_CLOSE int fd = -1;
	int flags;

	inode_set_xattrs(name, entry->xattrs, entry->n_xattrs);
	if (!entry->attributes)
		return;
	fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		flags = 0;
	flags |= (int)(entry->attributes & GHOST_ATTRIBUTES);
	if (fd < 0 || ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
		log_warn("its attributes 0x%x (chattr(1)) cannot be set: %s", entry->attributes, strerror(errno));
}

/* What a descriptor with O_PATH cannot do is done through its link in /proc. */
static int set_attributes(const struct restore *r, const GhostFileEntry *entry, int base)
{
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", base);
	if (fchownat(base, "", restore_outer_uid(r, entry->uid), restore_outer_gid(r, entry->gid), AT_EMPTY_PATH) < 0)
		return fail_errno("giving it to user %u and group %u", entry->uid, entry->gid);
	if (S_ISLNK(entry->mode))
		return 0;
	if (chmod(name, entry->mode & 07777) < 0)
		return fail_errno("setting its mode 0%o", entry->mode);
	set_hidden_attributes(entry, name);
	if (entry->atim && entry->mtim) {
		struct timespec times[] = { { (time_t)entry->atim->tv_sec, (long)entry->atim->tv_usec * 1000 },
					    { (time_t)entry->mtim->tv_sec, (long)entry->mtim->tv_usec * 1000 } };

		if (utimensat(AT_FDCWD, name, times, 0) < 0)
			return fail_errno("setting its times");
	}
	return 0;
}

static int make_node(const GhostFileEntry *entry, int dir, const char *name)
{
	if (S_ISDIR(entry->mode))
		return mkdirat(dir, name, 0700);
	if (S_ISLNK(entry->mode))
		return symlinkat(entry->symlnk_target ? entry->symlnk_target : "", dir, name);
	return mknodat(dir, name, (entry->mode & S_IFMT) | 0600, entry->has_rdev ? entry->rdev : 0);
}

/* It is what was just made, and nothing that the owner of the directory has put in its place: older by its time of
 * birth, if the file system tells that. */
static int check_fresh(const struct restore *r, const GhostFileEntry *entry, int fd, const struct timespec *before,
		       const char *name)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &stx) < 0)
		return fail_errno("looking at %s", name);
	if ((stx.stx_mode & S_IFMT) == (entry->mode & S_IFMT) && stx.stx_uid == restore_maker_uid(r) &&
	    (!(stx.stx_mask & STATX_BTIME) || stx.stx_btime.tv_sec > before->tv_sec ||
	     (stx.stx_btime.tv_sec == before->tv_sec && stx.stx_btime.tv_nsec >= before->tv_nsec)))
		return 0;
	return refuse(EBUSY, "somebody changes the directory of %s during the restore", name);
}

/* -errno, unlogged if it is EEXIST. */
static int make_and_open(const struct restore *r, const GhostFileEntry *entry, const struct held_name *name,
			 int *ret_fd)
{
	const char *base = held_name_base(name);
	AUTO_CLOSE int fd = -1;
	struct timespec before;
	char self[32];

	if (S_ISREG(entry->mode)) {
		fd = openat(name->dir, base, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return errno == EEXIST ? -EEXIST : fail_errno("making %s for a moment", name->path);
		snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		*ret_fd = open(self, O_PATH | O_CLOEXEC);
		return *ret_fd < 0 ? fail_errno("opening %s", name->path) : 0;
	}
	clock_gettime(CLOCK_REALTIME_COARSE, &before); /* that of file systems */
	if (make_node(entry, name->dir, base) < 0)
		return errno == EEXIST ? -EEXIST : fail_errno("making %s for a moment", name->path);
	fd = openat(name->dir, base, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("opening %s", name->path);
	TRY(check_fresh(r, entry, fd, &before, name->path));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Under its own name, or another one in the same directory when that is taken. */
static int make_named(const struct restore *r, const GhostFileEntry *entry, uint32_t id, struct held_name *name,
		      int *ret_fd)
{
	AUTO_FREE char *wanted = xstrdup(held_name_base(name));
	char base[NAME_MAX + 1];

	for (unsigned i = 0; i < 100; i++) {
		int error = make_and_open(r, entry, name, ret_fd);

		if (error != -EEXIST)
			return error;
		if (snprintf(base, sizeof(base), "%s.ghost-%x-%u", wanted, id, i) >= (int)sizeof(base))
			snprintf(base, sizeof(base), ".ghost-%x-%u", id, i);
		TRY(held_name_change(name, base));
	}
	return refuse(EEXIST, "no name beside it is free");
}

/* The other names that the file was opened by: each is a link that lives for a moment. */
static int open_other_name(const struct restore *r, struct remap *remap, const struct held_name *made, int file)
{
	AUTO(held_name_close) struct held_name other = HELD_NAME_NONE;
	struct mount_place place;

	find_place(r, remap->record, &place);
	if (strcmp(place.path, made->path) != 0 && held_name_open(place.root, place.path, HELD_AS_IT_IS, &other) == 0 &&
	    held_name_link(&other, file) == 0) {
		if (held_name_find(&other, file, &remap->fd) < 0)
			remap->fd = -1;
		held_name_remove(&other, file);
	}
	if (remap->fd < 0)
		remap->fd = fcntl(file, F_DUPFD_CLOEXEC, 3);
	return remap->fd < 0 ? fail_errno("duplicating a descriptor") : 0;
}

static bool is_on_same_mount(const struct remap *one, const struct remap *other)
{
	return one->record->has_mnt_id == other->record->has_mnt_id && one->record->mnt_id == other->record->mnt_id;
}

static int open_all(struct restore *r, struct ghost *ghost, const struct held_name *made, int file)
{
	for (struct remap *remap = ghost->users; remap; remap = remap->same) {
		if (is_on_same_mount(remap, ghost->users))
			TRY(open_other_name(r, remap, made, file));
		else
			TRY(deleted_open_on_other_mount(r, ghost->users->record, made->path, file, remap));
	}
	return 0;
}

/*
 * A file that never had a name may get one later by linkat(2). Only O_TMPFILE makes such, and only the opening that
 * made it shows the flag: it is the one of this record.
 */
static int open_nameless(const struct restore *r, struct remap *maker)
{
	AUTO(held_name_close) struct held_name name = HELD_NAME_NONE;
	struct mount_place place;

	find_place(r, maker->record, &place);
	TRY(held_name_open(place.root, place.path, HELD_MADE, &name));
	maker->opened = openat(name.dir, ".", O_TMPFILE | (int)(maker->record->flags & O_ACCMODE) | O_CLOEXEC, 0600);
	return maker->opened < 0 ? fail_errno("making a file without a name in the directory of %s", name.path) : 0;
}

static int create_nameless(struct restore *r, struct ghost *ghost, struct remap *maker)
{
	char name[32];

	TRY(open_nameless(r, maker));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", maker->opened);
	for (struct remap *remap = ghost->users; remap; remap = remap->same) {
		remap->fd = open(name, O_PATH | O_CLOEXEC);
		if (remap->fd < 0)
			return fail_errno("opening %s", name);
	}
	return 0;
}

struct naming {
	struct restore *r;
	struct ghost *ghost;
	const GhostFileEntry *entry;
};

/* In a process of its own: if criu is killed in between, no name stays. */
static int make_and_remove(void *arg)
{
	const struct naming *naming = arg;
	struct restore *r = naming->r;
	struct ghost *ghost = naming->ghost;
	AUTO(held_name_close) struct held_name name = HELD_NAME_NONE;
	AUTO_CLOSE int file = -1;
	struct mount_place place;
	int result;

	find_place(r, ghost->users->record, &place);
	TRY(held_name_open(place.root, place.path, HELD_MADE, &name));
	TRY(make_named(r, naming->entry, ghost->id, &name, &file));
	result = open_all(r, ghost, &name, file);
	held_name_remove(&name, file);
	return result;
}

static struct remap *find_maker(const struct ghost *ghost, const GhostFileEntry *entry)
{
	for (struct remap *remap = ghost->users; remap && S_ISREG(entry->mode); remap = remap->same)
		if ((remap->record->flags & O_TMPFILE) == O_TMPFILE)
			return remap;
	return NULL;
}

int ghost_create(struct restore *r, struct ghost *ghost)
{
	AUTO(image_close) struct image *image = NULL;
	struct remap *maker;
	GhostFileEntry *entry;
	int more = image_open(r->store, &image, IMAGE_GHOST_FILE, ghost->id);

	if (more == -ENOENT)
		return refuse(ENOENT, "ghost-file-%x.img, which holds its content, is missing", ghost->id);
	TRY(more);
	more = image_read(image, &entry);
	if (more <= 0)
		return more < 0 ? more : image_refuse(image, "it is empty");
	maker = find_maker(ghost, entry);
	TRY(maker ? create_nameless(r, ghost, maker) : apart_run(make_and_remove, &(struct naming){ r, ghost, entry }));
	/* Nobody finds it any more by a name: now it may get content and owner. */
	if (S_ISREG(entry->mode))
		TRY(fill_ghost(image, entry, ghost->users->fd));
	return set_attributes(r, entry, ghost->users->fd);
}
