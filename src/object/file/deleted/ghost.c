/* SPDX-License-Identifier: GPL-2.0-only */
/* Deleted files, dump: the content that only open descriptors keep alive goes into ghost-file-*.img, holes stay holes.
 */
#include "object/file/deleted/ghost.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "image/image.h"
#include "image/payload.h"
#include "image/record.h"
#include "object/file/deleted/deleted.h"
#include "object/file/file.h"
#include "session/ids.h"
#include "session/loss.h"

#define CHUNKS_FROM 12288 /* bytes; smaller files are written in one piece, as by CRIU 4.2 */
#define BLOCK	    512	  /* unit of st_blocks (stat(3type)) */

/* How the kernel packs a device number for itself: 12 bits and 20 bits. */
static uint32_t kernel_dev(dev_t dev)
{
	return major(dev) << 20 | minor(dev);
}

static void keep_time(struct dump *d, const struct timespec *from, Timeval **to)
{
	*to = pool_new(d->pool, Timeval);
	timeval__init(*to);
	(*to)->tv_sec = (uint64_t)from->tv_sec;
	(*to)->tv_usec = (uint64_t)from->tv_nsec / 1000;
}

static void fill_entry(struct dump *d, const struct stat *st, GhostFileEntry *entry)
{
	entry->uid = dump_inner_uid(d, st->st_uid);
	entry->gid = dump_inner_gid(d, st->st_gid);
	entry->mode = st->st_mode;
	entry->has_dev = entry->has_ino = true;
	entry->dev = kernel_dev(st->st_dev);
	entry->ino = st->st_ino;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		entry->has_rdev = true;
		entry->rdev = (uint32_t)st->st_rdev;
	}
	keep_time(d, &st->st_atim, &entry->atim);
	keep_time(d, &st->st_mtim, &entry->mtim);
	if (S_ISREG(st->st_mode) && st->st_size >= CHUNKS_FROM) {
		entry->has_chunks = entry->chunks = true;
		entry->has_size = true;
		entry->size = (uint64_t)st->st_size;
	}
}

static uint32_t attributes_of(const struct open_file *of)
{
	AUTO_CLOSE int fd = -1;
	char path[32];
	int flags = 0;

	if (!S_ISREG(of->stat.st_mode) && !S_ISDIR(of->stat.st_mode))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", of->fd);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 ? 0 : (uint32_t)flags;
}

/* What stat(2) does not show. */
static void add_attributes(struct dump *d, const struct open_file *of, GhostFileEntry *entry)
{
	char path[32];

	if (S_ISLNK(of->stat.st_mode))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", of->fd);
	entry->n_xattrs = inode_read_xattrs(d->pool, path, &entry->xattrs);
	entry->attributes = attributes_of(of) & GHOST_ATTRIBUTES;
	entry->has_attributes = entry->attributes != 0;
}

static int write_chunks(struct image *image, int fd, off_t size)
{
	off_t start = 0, end = 0;

	while (end < size) {
		GhostChunkEntry chunk = GHOST_CHUNK_ENTRY__INIT;

		start = lseek(fd, end, SEEK_DATA);
		if (start < 0 && errno == ENXIO)
			break; /* a hole up to the end */
		if (start < 0)
			return fail_errno("looking for its data (SEEK_DATA)");
		end = lseek(fd, start, SEEK_HOLE);
		if (end < 0)
			return fail_errno("looking for its holes (SEEK_HOLE)");
		chunk.off = (uint64_t)start;
		chunk.len = (uint64_t)(end - start);
		TRY(image_write(image, &chunk));
		TRY(image_write_from_fd(image, fd, start, chunk.len));
	}
	return 0;
}

static int write_content(struct image *image, const struct open_file *of, bool chunks)
{
	AUTO_CLOSE int fd = -1;
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", of->fd);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOATIME);
	if (fd < 0)
		return fail_errno("opening it for reading");
	return chunks ? write_chunks(image, fd, of->stat.st_size)
		      : image_write_from_fd(image, fd, 0, (uint64_t)of->stat.st_size);
}

static int save_ghost(struct dump *d, const struct open_file *of, void *arg)
{
	const uint32_t id = (uint32_t)(uintptr_t)arg;
	AUTO(image_close) struct image *image = NULL;
	GhostFileEntry entry = GHOST_FILE_ENTRY__INIT;
	char target[PATH_MAX];
	ssize_t length;

	fill_entry(d, &of->stat, &entry);
	add_attributes(d, of, &entry);
	if (S_ISLNK(of->stat.st_mode)) {
		length = readlinkat(of->fd, "", target, sizeof(target) - 1);
		if (length < 0)
			return fail_errno("reading the target of the symbolic link");
		target[length] = 0;
		entry.symlnk_target = target;
	}
	log_debug("ghost file %x: %llu bytes", id, (unsigned long long)of->stat.st_size);
	TRY(image_create(dump_store(d), &image, IMAGE_GHOST_FILE, id));
	TRY(image_write(image, &entry));
	if (S_ISREG(of->stat.st_mode))
		TRY(write_content(image, of, entry.chunks));
	return image_finish(&image);
}

int ghost_dump(const struct dump *d, const struct open_file *of, uint32_t id)
{
	uint64_t used = (uint64_t)of->stat.st_blocks * BLOCK;

	if (S_ISREG(of->stat.st_mode) && used > d->options->ghost_limit)
		return refuse(EFBIG,
			      "this deleted file has %llu bytes, more than the limit of %llu: --ghost-limit sets a "
			      "higher one",
			      (unsigned long long)used, (unsigned long long)d->options->ghost_limit);
	/* It could not be opened for writing any more. */
	if (attributes_of(of) & (FS_IMMUTABLE_FL | FS_APPEND_FL))
		dump_report_loss(d, "that it is immutable or can only be appended to (chattr(1))");
	file_dump_save(d, save_ghost, (void *)(uintptr_t)id);
	return 0;
}
