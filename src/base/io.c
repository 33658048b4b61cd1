/* SPDX-License-Identifier: LGPL-2.1-only */
/* Reads and writes in full. */
#include "base/io.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

/* A position of the file as pread(2) has it, or the file's own. */
#define AT_ITS_OWN ((off_t)-1)

static ssize_t read_all(int fd, char *to, size_t size, off_t at)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = at == AT_ITS_OWN ? read(fd, to + done, size - done)
					     : pread(fd, to + done, size - done, at + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int write_all(int fd, const char *from, size_t size, off_t at)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = at == AT_ITS_OWN ? write(fd, from + done, size - done)
					     : pwrite(fd, from + done, size - done, at + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		done += (size_t)n;
	}
	return 0;
}

ssize_t io_read(int fd, void *to, size_t size)
{
	return read_all(fd, to, size, AT_ITS_OWN);
}

int io_read_exact(int fd, void *to, size_t size)
{
	ssize_t n = io_read(fd, to, size);

	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : -ENODATA;
}

int io_write(int fd, const void *from, size_t size)
{
	return write_all(fd, from, size, AT_ITS_OWN);
}

ssize_t io_pread(int fd, void *to, size_t size, off_t at)
{
	return at < 0 ? -EINVAL : read_all(fd, to, size, at);
}

int io_pwrite(int fd, const void *from, size_t size, off_t at)
{
	return at < 0 ? -EINVAL : write_all(fd, from, size, at);
}

static bool is_zero(const char *data, size_t size)
{
	return !data[0] && !memcmp(data, data + 1, size - 1);
}

static int write_mapped(int fd, const void *from, size_t size, off_t at)
{
	struct statfs fs;
	off_t before;
	char *map;

	if (fstatfs(fd, &fs) < 0)
		return -errno;
	if (fs.f_type != HUGETLBFS_MAGIC)
		return -EINVAL;
	before = at % fs.f_bsize; /* that of a huge page there */
	map = mmap(NULL, (size_t)before + size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at - before);
	if (map == MAP_FAILED)
		return -errno;
	memcpy(map + before, from, size);
	munmap(map, (size_t)before + size);
	return 0;
}

int io_pwrite_pages(int fd, const void *from, size_t size, off_t at)
{
	int error = io_pwrite(fd, from, size, at);

	if (error != -EINVAL || at < 0 || !size)
		return error;
	return is_zero(from, size) ? 0 : write_mapped(fd, from, size, at);
}
