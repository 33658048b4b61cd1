/* SPDX-License-Identifier: LGPL-2.1-only */
/* Reads and writes in full: EINTR and short transfers are handled. All return 0 or -errno and log nothing. */
#pragma once

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

ssize_t io_read(int fd, void *to, size_t size);	  /* bytes read: fewer than size only at the end of the file */
int io_read_exact(int fd, void *to, size_t size); /* -ENODATA when the file ends before */
int io_write(int fd, const void *from, size_t size);
ssize_t io_pread(int fd, void *to, size_t size, off_t at);
int io_pwrite(int fd, const void *from, size_t size, off_t at);
/* The same. Files of hugetlbfs, which cannot be written to, are mapped (fd is open for both); zeros at their holes are
 * left out. */
int io_pwrite_pages(int fd, const void *from, size_t size, off_t at);
