/* SPDX-License-Identifier: GPL-2.0-only */
/* Fills a new file system of memory from tmpfs-dev-DEV.tar.gz.img. Nothing is made outside of it, whatever the archive
 * says. */
#include "object/mount/content/content-restore.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "image/backend.h"
#include "image/image.h"
#include "object/mount/content/content-inodes.h"
#include "object/mount/content/inode-flags.h"
#include "object/mount/mount-set.h"
#include "object/mount/content/libarchive.h"
#include "session/ids.h"

/* A directory is done last: making its files changes its times, and it may be closed to writers. */
struct folder {
	const char *name;
	mode_t mode;
	struct timespec times[2];
};

/* The one entry of an archive of what was removed. */
struct removed_one {
	int (*make)(void *arg, mode_t type);
	void *arg;
	int fd;
	bool inside; /* in the user namespace of the tree, whose ids are those of the archive */
};

struct filling {
	const struct restore *r;
	const struct mount *mount;
	struct archive *archive;
	struct pool *pool;
	int root;
	struct inode_list inodes;
	VECTOR(struct folder) folders;
	struct removed_one *removed;
};

static int fail_archive(const struct filling *filling)
{
	return refuse(EBADMSG, "the archive of its files is damaged: %s",
		      libarchive.archive_error_string(filling->archive));
}

int content_open(int root, const char *name, int flags, int *ret_fd)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
	AUTO_FREE char *path = xprintf("./%s", name);
	AUTO_CLOSE int dir = -1;
	char *rest = path;

	/* Trees may be deeper than what a path can say at once. */
	while (strlen(rest) >= PATH_MAX) {
		char *end = memrchr(rest, '/', PATH_MAX - 1);
		int below;

		if (!end || end == rest)
			return refuse(ENAMETOOLONG, "the archive has a name that is too long");
		*end = 0;
		below = (int)syscall(SYS_openat2, dir < 0 ? root : dir, rest, &how, sizeof(how));
		if (below < 0)
			return fail_errno("the directory of %.80s", name);
		auto_close(&dir);
		dir = below;
		for (rest = end + 1; *rest == '/'; rest++)
			;
	}
	how.flags = (uint64_t)(flags | O_CLOEXEC);
	*ret_fd = (int)syscall(SYS_openat2, dir < 0 ? root : dir, *rest ? rest : ".", &how, sizeof(how));
	return *ret_fd < 0 ? fail_errno("opening %.80s", name) : 0;
}

/* The directory of a name; no link is followed on the way. leaf is the rest, "." for the root itself. */
static int open_parent(const struct filling *filling, const char *name, char leaf[NAME_MAX + 1])
{
	AUTO_FREE char *path = xstrdup(name);
	char *end = path + strlen(path);
	int fd;

	while (end > path && (end[-1] == '/' || (end[-1] == '.' && (end - 1 == path || end[-2] == '/'))))
		*--end = 0;
	end = strrchr(path, '/');
	snprintf(leaf, NAME_MAX + 1, "%s", end ? end + 1 : *path ? path : ".");
	if (end)
		*end = 0;
	TRY(content_open(filling->root, end ? path : ".", O_PATH | O_DIRECTORY, &fd));
	return fd;
}

static int set_attributes(struct archive_entry *entry, int dir, const char *leaf)
{
	char path[NAME_MAX + 40];
	const char *key;
	const void *value;
	size_t size;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, leaf);
	libarchive.archive_entry_xattr_reset(entry);
	while (libarchive.archive_entry_xattr_next(entry, &key, &value, &size) == ARCHIVE_OK)
		if (strcmp(key, INODE_KEY) != 0 && lsetxattr(path, key, value, size, 0) < 0)
			return fail_errno("setting the extended attribute %s of %s", key, leaf);
	return 0;
}

static int write_data(struct filling *filling, int fd, off_t size)
{
	const void *data;
	size_t n;
	int64_t at;
	int more, written;

	while ((more = libarchive.archive_read_data_block(filling->archive, &data, &n, &at)) == ARCHIVE_OK) {
		written = io_pwrite_pages(fd, data, n, at);
		if (written < 0)
			return fail(-written, "writing a file (is there room enough?)");
	}
	if (more != ARCHIVE_EOF)
		return fail_archive(filling);
	return ftruncate(fd, size) < 0 ? fail_errno("setting its size") : 0;
}

static int make_file(struct filling *filling, struct archive_entry *entry, int dir, const char *leaf)
{
	int taken = inodes_take(&filling->inodes, filling->root, entry, dir, leaf);
	AUTO_CLOSE int fd =
		openat(dir, leaf, O_RDWR | (taken < 0 ? O_CREAT | O_EXCL : 0) | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail_errno("making %s", leaf);
	return write_data(filling, fd, libarchive.archive_entry_size(entry));
}

static int make_link(struct filling *filling, const char *first, int dir, const char *leaf)
{
	char first_leaf[NAME_MAX + 1];
	AUTO_CLOSE int first_dir = open_parent(filling, first, first_leaf);

	TRY(first_dir);
	return linkat(first_dir, first_leaf, dir, leaf, 0) < 0 ? fail_errno("linking %s to %s", leaf, first) : 0;
}

/* The root is there already, and other programs' archives may have a directory twice; nothing else may be in its place.
 */
static int make_directory(int dir, const char *leaf)
{
	struct stat st;

	if (mkdirat(dir, leaf, 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return fail_errno("making the directory %s", leaf);
	if (fstatat(dir, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno("looking at %s", leaf);
	return S_ISDIR(st.st_mode) ? 0 : refuse(EBADMSG, "the archive has %s twice, once as a directory", leaf);
}

static int make_one(struct filling *filling, struct archive_entry *entry, int dir, const char *leaf)
{
	mode_t type = libarchive.archive_entry_filetype(entry);

	if (type != AE_IFREG && inodes_take(&filling->inodes, filling->root, entry, dir, leaf) == 0)
		return 0;
	switch (type) {
	case AE_IFDIR:
		return make_directory(dir, leaf);
	case AE_IFREG:
		return make_file(filling, entry, dir, leaf);
	case AE_IFLNK:
		return symlinkat(libarchive.archive_entry_symlink(entry), dir, leaf) < 0
			       ? fail_errno("making the link %s", leaf)
			       : 0;
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO:
		return mknodat(dir, leaf, type | 0600, libarchive.archive_entry_rdev(entry)) < 0
			       ? fail_errno("making %s", leaf)
			       : 0;
	default:
		return refuse(EBADMSG, "the archive has a file %s of a kind 0%o", leaf, type);
	}
}

static int set_owner(struct filling *filling, struct archive_entry *entry, int dir, const char *leaf)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
				     { libarchive.archive_entry_mtime(entry),
				       libarchive.archive_entry_mtime_nsec(entry) } };
	mode_t type = libarchive.archive_entry_filetype(entry), mode = libarchive.archive_entry_perm(entry);

	if (libarchive.archive_entry_atime_is_set(entry))
		times[0] = (struct timespec){ libarchive.archive_entry_atime(entry),
					      libarchive.archive_entry_atime_nsec(entry) };
	if (fchownat(dir, leaf, restore_outer_uid(filling->r, (uint32_t)libarchive.archive_entry_uid(entry)),
		     restore_outer_gid(filling->r, (uint32_t)libarchive.archive_entry_gid(entry)),
		     AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno("setting the owner of %s", leaf);
	TRY(set_attributes(entry, dir, leaf));
	if (type == AE_IFDIR) {
		const char *name = pool_string(filling->pool, libarchive.archive_entry_pathname(entry));

		*vector_push(&filling->folders) = (struct folder){ name, mode, { times[0], times[1] } };
		return 0;
	}
	if (type != AE_IFLNK && fchmodat(dir, leaf, mode, 0) < 0)
		return fail_errno("setting the mode of %s", leaf);
	return utimensat(dir, leaf, times, AT_SYMLINK_NOFOLLOW) < 0 ? fail_errno("setting the times of %s", leaf) : 0;
}

static int take_entry(struct filling *filling, struct archive_entry *entry)
{
	const char *name = libarchive.archive_entry_pathname(entry);
	char leaf[NAME_MAX + 1];
	AUTO_CLOSE int dir = name ? open_parent(filling, name, leaf) : fail_archive(filling);

	TRY(dir);
	if (libarchive.archive_entry_hardlink(entry))
		return make_link(filling, libarchive.archive_entry_hardlink(entry), dir, leaf);
	TRY(make_one(filling, entry, dir, leaf));
	TRY(inode_flags_note(filling->r, filling->mount, filling->root, entry));
	return set_owner(filling, entry, dir, leaf);
}

static int close_folders(struct filling *filling)
{
	for (size_t i = filling->folders.n; i-- > 0;) {
		const struct folder *folder = &filling->folders.items[i];
		AUTO_CLOSE int fd = -1;

		/* Never by its last name alone: that might be a link by now. */
		TRY(content_open(filling->root, folder->name, O_RDONLY | O_DIRECTORY, &fd));
		if (fchmod(fd, folder->mode) < 0 || futimens(fd, folder->times) < 0)
			return fail_errno("setting mode and times of %s", folder->name);
	}
	return 0;
}

static int read_archive(struct filling *filling, int fd,
			int (*take)(struct filling *filling, struct archive_entry *entry))
{
	struct archive_entry *entry;
	int more, error = 0;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return fail_errno("reading the archive of its files");
	filling->archive = libarchive.archive_read_new();
	/* More than we make ourselves: also what other programs made. */
	libarchive.archive_read_support_filter_all(filling->archive);
	libarchive.archive_read_support_format_tar(filling->archive);
	if (libarchive.archive_read_open_fd(filling->archive, fd, 1 << 16) < ARCHIVE_OK)
		error = fail_archive(filling);
	more = error < 0 ? ARCHIVE_EOF : libarchive.archive_read_next_header(filling->archive, &entry);
	while (error == 0 && (more == ARCHIVE_OK || more == ARCHIVE_WARN)) {
		error = take(filling, entry);
		if (error == 0)
			more = libarchive.archive_read_next_header(filling->archive, &entry);
	}
	if (error == 0 && more != ARCHIVE_EOF)
		error = fail_archive(filling);
	libarchive.archive_read_free(filling->archive);
	filling->archive = NULL;
	return error;
}

#define NO_NUMBERS 1 /* ends the reading */

static int take_number(struct filling *filling, struct archive_entry *entry)
{
	/* The root is the first. */
	if (!filling->inodes.nodes.n && !inodes_find(entry))
		return NO_NUMBERS;
	inodes_add(&filling->inodes, filling->pool, entry);
	return 0;
}

static int fill_tmpfs(struct filling *filling, int fd, bool whole)
{
	if (whole) {
		TRY(read_archive(filling, fd, take_number));
		TRY(inodes_make(&filling->inodes, filling->root));
	}
	TRY(read_archive(filling, fd, take_entry));
	return close_folders(filling);
}

static int open_archive(struct restore *r, const struct mount *mount, struct image **ret)
{
	int found = image_open(r->store, ret, IMAGE_TMPFS_DEV, mount->entry->root_dev);

	return found == -ENOENT ? image_open(r->store, ret, IMAGE_TMPFS, mount->entry->mnt_id) : found;
}

int content_restore(struct restore *r, int root, const struct mount *mount)
{
	AUTO(image_close) struct image *image = NULL;
	struct filling filling = { .r = r, .mount = mount, .pool = r->pool, .root = root };
	int error = open_archive(r, mount, &image), fd;

	/* Other dumpers leave out what they don't know by number. */
	if (error == -ENOENT && mount->entry->fstype == FSTYPE__AUTO)
		return 0;
	if (error == -ENOENT)
		return refuse(ENOENT, "%s, which has the files of this tmpfs, is missing", "tmpfs-dev-*.tar.gz.img");
	TRY(error);
	fd = image_fd(image);
	TRY(fd);
	error = fill_tmpfs(&filling, fd, strcmp(mount->entry->root, "/") == 0);
	vector_done(&filling.inodes.nodes);
	vector_done(&filling.folders);
	return error;
}

static int set_removed(const struct filling *filling, struct archive_entry *entry, int fd)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
				     { libarchive.archive_entry_mtime(entry),
				       libarchive.archive_entry_mtime_nsec(entry) } };
	uint32_t user = (uint32_t)libarchive.archive_entry_uid(entry),
		 group = (uint32_t)libarchive.archive_entry_gid(entry);
	const char *key;
	const void *value;
	size_t size;

	if (!filling->removed->inside) {
		user = restore_outer_uid(filling->r, user);
		group = restore_outer_gid(filling->r, group);
	}
	if (fchown(fd, user, group) < 0)
		return fail_errno("setting the owner of what had been removed");
	libarchive.archive_entry_xattr_reset(entry);
	while (libarchive.archive_entry_xattr_next(entry, &key, &value, &size) == ARCHIVE_OK)
		if (fsetxattr(fd, key, value, size, 0) < 0)
			return fail_errno("setting the extended attribute %s of what had been removed", key);
	if (fchmod(fd, libarchive.archive_entry_perm(entry)) < 0 || futimens(fd, times) < 0)
		return fail_errno("setting mode and times of what had been removed");
	return 0;
}

static int take_removed(struct filling *filling, struct archive_entry *entry)
{
	struct removed_one *removed = filling->removed;
	mode_t type = libarchive.archive_entry_filetype(entry);

	if (removed->fd >= 0 || (type != AE_IFREG && type != AE_IFDIR && type != AE_IFIFO))
		return refuse(EBADMSG, "the archive of what was removed has more than one file or directory");
	removed->fd = removed->make(removed->arg, type);
	TRY(removed->fd);
	if (type == AE_IFREG)
		TRY(write_data(filling, removed->fd, libarchive.archive_entry_size(entry)));
	return set_removed(filling, entry, removed->fd);
}

int content_open_removed(struct restore *r, struct mount *mount)
{
	int error = image_open(r->store, &mount->removed_image, IMAGE_REMOVED_MOUNT, mount->entry->mnt_id);

	return error == -ENOENT
		       ? refuse(ENOENT, "removed-mount-%u.tar.gz.img, which has what was mounted there, is missing",
				mount->entry->mnt_id)
		       : error;
}

int content_restore_removed(struct restore *r, struct mount *mount, int (*make)(void *arg, mode_t type), void *arg)
{
	AUTO(image_close) struct image *image = NULL;
	struct removed_one removed = { make, arg, -1 };
	struct filling filling = { .r = r, .pool = r->pool, .root = -1, .removed = &removed };
	int error, fd;

	removed.inside = mount->removed_image;
	if (!mount->removed_image)
		TRY(content_open_removed(r, mount));
	image = mount->removed_image;
	mount->removed_image = NULL;
	fd = image_fd(image);
	TRY(fd);
	error = read_archive(&filling, fd, take_removed);
	if (error == 0 && removed.fd < 0)
		error = refuse(EBADMSG, "the archive of what was removed is empty");
	if (error < 0 && removed.fd >= 0)
		close(removed.fd);
	return error < 0 ? error : removed.fd;
}
