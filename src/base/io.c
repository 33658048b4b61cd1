/* SPDX-License-Identifier: LGPL-2.1-only */
/* Reads and writes in full. */
#include "base/io.h"

#include <errno.h>
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
