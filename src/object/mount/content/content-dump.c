/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in a file system of memory: tmpfs-dev-DEV.tar.gz.img, an archive as tar(1) makes it. */
#include "object/mount/content/content-dump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/table.h"
#include "image/image.h"
#include "object/mount/content/content-inodes.h"
#include "object/mount/content/inode-flags.h"
#include "object/mount/content/libarchive.h"
#include "object/mount/content/names.h"
#include "session/ids.h"

#define CHUNK (1u << 20)

struct saving {
	bool locked;	   /* other mounts lie upon it, which cannot be taken off */
	bool newest_first; /* its directories are listed so */
	struct archive *archive;
	const struct dump *d;
	struct pool *pool;
	struct table *links; /* inode → name of the first of several links */
	struct stat root;
	char *chunk;
};

static int fail_archive(const struct saving *saving, const char *name)
{
	int error = libarchive.archive_errno(saving->archive);

	return fail(error > 0 ? error : EIO, "archive of its files, %s: %s", name,
		    libarchive.archive_error_string(saving->archive));
}

/* By a descriptor if there is one: /proc/self/fd, which reaches those that cannot be opened and links too, is slow. */
static int add_attributes(struct archive_entry *entry, int fd, int dir, const char *name)
{
	char path[NAME_MAX + 40], names[4096], value[65536];
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	size = fd < 0 ? llistxattr(path, names, sizeof(names)) : flistxattr(fd, names, sizeof(names));
	if (size < 0)
		return errno == EOPNOTSUPP ? 0 : fail_errno("listing extended attributes of %s", name);
	for (const char *key = names; key < names + size; key += strlen(key) + 1) {
		ssize_t length =
			fd < 0 ? lgetxattr(path, key, value, sizeof(value)) : fgetxattr(fd, key, value, sizeof(value));

		if (length < 0)
			return fail_errno("reading the extended attribute %s of %s", key, name);
		libarchive.archive_entry_xattr_add_entry(entry, key, value, (size_t)length);
	}
	return 0;
}

/* Tells the archive where there is data, if that is not everywhere. */
static void add_extents(struct archive_entry *entry, int fd, off_t size)
{
	off_t at = 0;

	if (lseek(fd, 0, SEEK_HOLE) >= size)
		return;
	while (at < size) {
		off_t data = lseek(fd, at, SEEK_DATA), end;

		if (data < 0)
			break;
		end = lseek(fd, data, SEEK_HOLE);
		at = end < 0 || end > size ? size : end;
		libarchive.archive_entry_sparse_add_entry(entry, data, at - data);
	}
	if (libarchive.archive_entry_sparse_count(entry) == 0)
		libarchive.archive_entry_sparse_add_entry(entry, size, 0);
}

static int save_data(struct saving *saving, const char *name, int fd, off_t size)
{
	for (off_t at = 0; at < size;) {
		ssize_t n = pread(fd, saving->chunk, CHUNK, at);

		if (n < 0)
			return fail_errno("reading %s", name);
		if (n == 0)
			return refuse(EIO, "%s has become shorter while it was saved", name);
		if (libarchive.archive_write_data(saving->archive, saving->chunk, (size_t)n) < 0)
			return fail_archive(saving, name);
		at += n;
	}
	return 0;
}

static void add_inode(struct archive_entry *entry, ino_t inode)
{
	char text[24];
	int size = snprintf(text, sizeof(text), "%llu", (unsigned long long)inode);

	libarchive.archive_entry_xattr_add_entry(entry, INODE_KEY, text, (size_t)size);
}

static int add_target(struct archive_entry *entry, int dir, const char *leaf)
{
	char target[PATH_MAX];
	ssize_t size = readlinkat(dir, leaf, target, sizeof(target) - 1);

	if (size < 0)
		return fail_errno("reading the link %s", leaf);
	target[size] = 0;
	libarchive.archive_entry_copy_symlink(entry, target);
	return 0;
}

/* All but its data. fd: of a regular file, else -1. */
static int describe_content(struct archive_entry *entry, int fd, int dir, const char *leaf, const struct stat *st)
{
	AUTO_CLOSE int below = -1;

	add_inode(entry, st->st_ino);
	TRY(add_attributes(entry, fd, dir, leaf));
	if (S_ISLNK(st->st_mode))
		return add_target(entry, dir, leaf);
	if (S_ISDIR(st->st_mode))
		below = openat(dir, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 || below >= 0)
		inode_flags_save(entry, fd >= 0 ? fd : below);
	if (fd >= 0 && st->st_blocks * 512 < st->st_size)
		add_extents(entry, fd, st->st_size);
	return 0;
}

/* As the tree sees it. */
static void set_owner(const struct dump *d, struct archive_entry *entry, const struct stat *st)
{
	libarchive.archive_entry_set_uid(entry, dump_inner_uid(d, st->st_uid));
	libarchive.archive_entry_set_gid(entry, dump_inner_gid(d, st->st_gid));
}

static int save_one(struct saving *saving, int dir, const char *leaf, const char *name, const struct stat *st)
{
	struct archive_entry *entry;
	AUTO_CLOSE int fd = -1;
	const char *first = NULL;
	int error = 0;

	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1)
		first = table_set(saving->links, st->st_ino, pool_string(saving->pool, name));
	if (!first && S_ISREG(st->st_mode)) {
		fd = openat(dir, leaf, O_RDONLY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
		if (fd < 0)
			return fail_errno("opening %s", name);
	}
	entry = libarchive.archive_entry_new2(saving->archive);
	libarchive.archive_entry_copy_stat(entry, st);
	set_owner(saving->d, entry, st);
	libarchive.archive_entry_copy_pathname(entry, name);
	if (first) {
		table_set(saving->links, st->st_ino, (char *)first);
		libarchive.archive_entry_copy_hardlink(entry, first);
		libarchive.archive_entry_unset_size(entry);
	} else {
		error = describe_content(entry, fd, dir, leaf, st);
	}
	if (error == 0 && libarchive.archive_write_header(saving->archive, entry) < ARCHIVE_WARN)
		error = fail_archive(saving, name);
	libarchive.archive_entry_free(entry);
	return error == 0 && fd >= 0 ? save_data(saving, name, fd, st->st_size) : error;
}

static int save_directory(struct saving *saving, int dir, const char *name);

/* Only the place for what is mounted there. */
static int save_place(struct saving *saving, ino_t inode, const char *name, mode_t type)
{
	struct archive_entry *entry = libarchive.archive_entry_new2(saving->archive);
	struct stat st = { .st_ino = inode,
			   .st_mode = S_ISDIR(type) ? S_IFDIR | 0755 : S_IFREG | 0644,
			   .st_nlink = 1,
			   .st_uid = saving->root.st_uid,
			   .st_gid = saving->root.st_gid };
	int error = 0;

	libarchive.archive_entry_copy_stat(entry, &st);
	set_owner(saving->d, entry, &st);
	libarchive.archive_entry_copy_pathname(entry, name);
	add_inode(entry, inode);
	if (libarchive.archive_write_header(saving->archive, entry) < ARCHIVE_WARN)
		error = fail_archive(saving, name);
	libarchive.archive_entry_free(entry);
	return error;
}

static int save_name(struct saving *saving, int dir, const char *leaf, ino_t inode, const char *above)
{
	AUTO_FREE char *name = xprintf("%s/%s", above, leaf);
	AUTO_CLOSE int below = -1;
	struct stat st;

	if (fstatat(dir, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno("looking at %s", name);
	/* A mount of that very directory hides nothing. */
	if (saving->locked && (st.st_dev != saving->root.st_dev || st.st_ino != inode))
		return save_place(saving, inode, name, st.st_mode);
	if (st.st_dev != saving->root.st_dev)
		return 0;
	if (S_ISSOCK(st.st_mode)) {
		log_debug("%s is a socket: its name is made again with the socket", name);
		return 0;
	}
	TRY(save_one(saving, dir, leaf, name, &st));
	if (!S_ISDIR(st.st_mode))
		return 0;
	below = openat(dir, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (below < 0)
		return fail_errno("opening %s", name);
	return save_directory(saving, below, name);
}

static int save_directory(struct saving *saving, int dir, const char *name)
{
	struct content_names names;
	int error = content_names_read(dir, saving->newest_first, &names);

	if (error < 0)
		error = fail(-error, "listing %s", name);
	for (size_t i = 0; error == 0 && i < names.list.n; i++) {
		const struct content_name *one = &names.list.items[i];

		error = save_name(saving, dir, names.text.items + one->at, one->inode, name);
	}
	content_names_done(&names);
	return error;
}

static int begin_archive(const struct saving *saving, int fd)
{
	struct archive *archive = saving->archive;

	if (libarchive.archive_write_add_filter_gzip(archive) < ARCHIVE_OK ||
	    libarchive.archive_write_set_filter_option(archive, "gzip", "compression-level", "1") < ARCHIVE_WARN ||
	    libarchive.archive_write_set_format_pax(archive) < ARCHIVE_OK ||
	    libarchive.archive_write_set_bytes_in_last_block(archive, 1) < ARCHIVE_OK ||
	    libarchive.archive_write_open_fd(archive, fd) < ARCHIVE_OK)
		return fail_archive(saving, ".");
	return 0;
}

static int end_archive(const struct saving *saving)
{
	return libarchive.archive_write_close(saving->archive) < ARCHIVE_OK ? fail_archive(saving, ".") : 0;
}

static int save_all(struct saving *saving, int fd, int root)
{
	TRY(begin_archive(saving, fd));
	if (fstat(root, &saving->root) < 0)
		return fail_errno("looking at its root");
	saving->newest_first = content_lists_newest_first(root);
	TRY(save_one(saving, root, ".", "./", &saving->root));
	TRY(save_directory(saving, root, "."));
	return end_archive(saving);
}

int content_dump(struct dump *d, int root, uint32_t dev, bool locked)
{
	AUTO(image_close) struct image *image = NULL;
	AUTO_CLOSE int dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct saving saving = { .d = d, .pool = d->pool, .locked = locked };
	int error, fd;

	if (dir < 0)
		return fail_errno("opening its root");
	TRY(image_create(dump_store(d), &image, IMAGE_TMPFS_DEV, dev));
	fd = image_fd(image);
	TRY(fd);
	saving.archive = libarchive.archive_write_new();
	saving.links = table_create();
	saving.chunk = xmalloc(CHUNK);
	error = save_all(&saving, fd, dir);
	libarchive.archive_write_free(saving.archive);
	table_destroy(&saving.links);
	free(saving.chunk);
	TRY(error);
	return image_finish(&image);
}

static int save_removed(struct saving *saving, int image, int fd)
{
	struct archive_entry *entry;
	struct stat st;
	int error;

	TRY(begin_archive(saving, image));
	if (fstat(fd, &st) < 0)
		return fail_errno("looking at it");
	entry = libarchive.archive_entry_new2(saving->archive);
	libarchive.archive_entry_copy_stat(entry, &st);
	set_owner(saving->d, entry, &st);
	libarchive.archive_entry_copy_pathname(entry, S_ISDIR(st.st_mode) ? "removed/" : "removed");
	error = add_attributes(entry, fd, -1, "it");
	if (S_ISREG(st.st_mode) && st.st_blocks * 512 < st.st_size)
		add_extents(entry, fd, st.st_size);
	if (error == 0 && libarchive.archive_write_header(saving->archive, entry) < ARCHIVE_WARN)
		error = fail_archive(saving, "it");
	libarchive.archive_entry_free(entry);
	TRY(error);
	if (S_ISREG(st.st_mode))
		TRY(save_data(saving, "it", fd, st.st_size));
	return end_archive(saving);
}

int content_dump_removed(struct dump *d, int fd, uint32_t mnt_id)
{
	AUTO(image_close) struct image *image = NULL;
	struct saving saving = { .d = d, .pool = d->pool };
	int error, to;

	TRY(image_create(dump_store(d), &image, IMAGE_REMOVED_MOUNT, mnt_id));
	to = image_fd(image);
	TRY(to);
	saving.archive = libarchive.archive_write_new();
	saving.chunk = xmalloc(CHUNK);
	error = save_removed(&saving, to, fd);
	libarchive.archive_write_free(saving.archive);
	free(saving.chunk);
	TRY(error);
	return image_finish(&image);
}
