/* SPDX-License-Identifier: LGPL-2.1-only */
/* /proc/PID as a directory. */
#include "kern/proc/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"

/* seq_file hands out at most a page per read(2), unless one record is longer. */
#define READ_SIZE 4096

#define PID_TEXT_MAX 16

int proc_fail(int error, const char *name)
{
	if (error == ENOENT || error == ESRCH)
		return -error;
	return fail(error, "cannot read /proc/PID/%s", name);
}

static int open_dir(int dir, const char *path)
{
	int fd = openat(dir, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? proc_fail(errno, path) : fd;
}

int proc_open(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return open_dir(AT_FDCWD, path);
}

int proc_open_thread(int proc, pid_t tid)
{
	char path[32];

	snprintf(path, sizeof(path), "task/%d", tid);
	return open_dir(proc, path);
}

/* A read gets as many whole records as there is room for. rest: so much was free, and the end has come; 0: nobody
 * knows. */
static int read_open(int fd, const char *name, ssize_t rest, struct buffer *buffer)
{
	buffer->size = 0;
	for (;;) {
		ssize_t n;

		do
			n = pread(fd, buffer_reserve(buffer, READ_SIZE), READ_SIZE, (off_t)buffer->size);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return proc_fail(errno, name);
		if (n == 0)
			break;
		buffer->size += (size_t)n;
		if (rest && n + rest <= READ_SIZE)
			break;
	}
	buffer_append(buffer, "", 0);
	return 0;
}

static int read_all(int proc, const char *name, ssize_t rest, struct buffer *buffer)
{
	AUTO_CLOSE int fd = openat(proc, name, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? proc_fail(errno, name) : read_open(fd, name, rest, buffer);
}

int proc_read(int proc, const char *name, struct buffer *buffer)
{
	return read_all(proc, name, 0, buffer);
}

int proc_read_record(int proc, const char *name, struct buffer *buffer)
{
	return read_all(proc, name, 1, buffer);
}

int proc_read_thread_pids(int proc, pid_t tid, const char *name, struct buffer *buffer)
{
	char path[64];

	snprintf(path, sizeof(path), "task/%d/%s", tid, name);
	return read_all(proc, path, PID_TEXT_MAX, buffer);
}

int proc_read_open(int fd, const char *name, struct buffer *buffer)
{
	return read_open(fd, name, 0, buffer);
}

int proc_read_open_record(int fd, const char *name, struct buffer *buffer)
{
	return read_open(fd, name, 1, buffer);
}

int proc_read_thread_record(int proc, pid_t tid, const char *name, struct buffer *buffer)
{
	char path[64];

	snprintf(path, sizeof(path), "task/%d/%s", tid, name);
	return read_all(proc, path, 1, buffer);
}

/* "net:[4026531840]" */
int proc_namespace(int proc, const char *file, ino_t *ret)
{
	char text[64];
	ssize_t size = readlinkat(proc, file, text, sizeof(text) - 1);
	const char *number;

	if (size < 0)
		return -errno;
	text[size] = '\0';
	number = strchr(text, '[');
	if (!number)
		return -EINVAL;
	*ret = strtoul(number + 1, NULL, 10);
	return 0;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

char *proc_unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && is_octal(from[1]) && is_octal(from[2]) && is_octal(from[3])) {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
	return text;
}
