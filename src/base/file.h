/* SPDX-License-Identifier: LGPL-2.1-only */
/* Small files in one call. All return -errno and log nothing. dir may be AT_FDCWD. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Whole content, NUL-terminated, malloc'ed; the size (without the NUL) through ret_size unless NULL. */
int file_read_all(int dir, const char *path, char **ret, size_t *ret_size);
/*
 * The same for a file that somebody else has named: -EFBIG if it is longer than limit. With only_regular it does not
 * wait for the other end of a fifo, and -EINVAL stands for all but regular files.
 */
int file_read_foreign(int dir, const char *path, bool only_regular, size_t limit, char **ret);
/*
 * A file to write to, made with mode 0600 if need be. A symbolic link is followed only if nobody but root and we could
 * have made it what it is; else -ELOOP.
 */
int file_open_output(const char *path, int flags);
/* Into a caller's buffer, NUL-terminated; -EFBIG if it does not fit. Returns the length. */
ssize_t file_read_text(int dir, const char *path, char *to, size_t capacity);
/* A new file, mode 0600, with a decimal number. -EEXIST if it is there already. */
int file_write_pid(const char *path, pid_t pid);
int file_write_text(int dir, const char *path, const char *text); /* the file must exist */
/* readlinkat into the buffer, NUL-terminated; -ENAMETOOLONG if cut. Returns the length. */
ssize_t file_readlink(int dir, const char *path, char *to, size_t capacity);
