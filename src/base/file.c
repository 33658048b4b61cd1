/* SPDX-License-Identifier: LGPL-2.1-only */
/* Small files in one call. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/pool.h"

int file_read_all(int dir, const char *path, char **ret, size_t *ret_size)
{
	AUTO_CLOSE int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *data = NULL;
	size_t size = 0, capacity = 4096;
	struct stat st;

	if (fd < 0)
		return -errno;
	/* Files of /proc and /sys report size 0. */
	if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size < (1 << 30))
		capacity = (size_t)st.st_size + 2;

	data = xmalloc(capacity);
	for (;;) {
		ssize_t n = io_read(fd, data + size, capacity - 1 - size);

		if (n < 0)
			return (int)n;
		size += (size_t)n;
		if (size < capacity - 1)
			break;
		capacity *= 2;
		data = xrealloc(data, capacity);
	}
	data[size] = '\0';
	if (ret_size)
		*ret_size = size;
	*ret = TAKE_PTR(data);
	return 0;
}

int file_read_foreign(int dir, const char *path, bool only_regular, size_t limit, char **ret)
{
	AUTO_CLOSE int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (only_regular ? O_NONBLOCK : 0));
	AUTO_FREE char *data = NULL;
	struct stat st;
	ssize_t size;

	if (fd < 0)
		return -errno;
	if (only_regular && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
		return -EINVAL;
	data = xmalloc(limit + 1);
	size = io_read(fd, data, limit + 1);
	if (size < 0)
		return (int)size;
	if ((size_t)size > limit)
		return -EFBIG;
	data[size] = '\0';
	*ret = TAKE_PTR(data);
	return 0;
}

static bool is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* As fs.protected_symlinks (proc(5)), but in all directories that others may write to. /dev/stderr is a link that must
 * work. */
static bool is_trusted_link(const char *path)
{
	char folder[PATH_MAX];
	struct stat link, dir;

	if (snprintf(folder, sizeof(folder), "%s", path) >= (int)sizeof(folder))
		return false;
	if (lstat(path, &link) < 0 || stat(dirname(folder), &dir) < 0 || !is_ours(&link) || !is_ours(&dir))
		return false;
	return !(dir.st_mode & (S_IWGRP | S_IWOTH)) || dir.st_mode & S_ISVTX;
}

int file_open_output(const char *path, int flags)
{
	int fd;

	flags |= O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY;
	fd = open(path, flags | O_NOFOLLOW, 0600);
	if (fd < 0 && errno == ELOOP && is_trusted_link(path))
		fd = open(path, flags, 0600);
	return fd < 0 ? -errno : fd;
}

ssize_t file_read_text(int dir, const char *path, char *to, size_t capacity)
{
	AUTO_CLOSE int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	if (fd < 0)
		return -errno;
	size = io_read(fd, to, capacity);
	if (size < 0)
		return size;
	if ((size_t)size == capacity)
		return -EFBIG;
	to[size] = '\0';
	return size;
}

int file_write_text(int dir, const char *path, const char *text)
{
	AUTO_CLOSE int fd = openat(dir, path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	size_t size = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	/* One write: files of /proc and cgroups take each write as a value of its own. */
	do
		n = write(fd, text, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

ssize_t file_readlink(int dir, const char *path, char *to, size_t capacity)
{
	ssize_t size = readlinkat(dir, path, to, capacity);

	if (size < 0)
		return -errno;
	if ((size_t)size >= capacity)
		return -ENAMETOOLONG;
	to[size] = '\0';
	return size;
}

int file_write_pid(const char *path, pid_t pid)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char text[16];

	if (fd < 0)
		return -errno;
	snprintf(text, sizeof(text), "%d", pid);
	return io_write(fd, text, strlen(text));
}
