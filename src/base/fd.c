/* SPDX-License-Identifier: LGPL-2.1-only */
/* Descriptors. */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/text.h"
#include "base/vector.h"

int fd_move_above(int fd, int min)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, min);

	if (moved < 0)
		return -errno;
	close(fd);
	return moved;
}

static int compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static bool is_self(int proc_pid_dir)
{
	struct stat self, st;

	return fstat(proc_pid_dir, &st) == 0 && stat("/proc/self", &self) == 0 && st.st_ino == self.st_ino &&
	       st.st_dev == self.st_dev;
}

int fd_list(int proc_pid_dir, const char *folder, int **ret)
{
	VECTOR(int) fds = { 0 };
	AUTO_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(proc_pid_dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), number, skip;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	/* When we list ourselves, the directory is open only because of the listing. */
	skip = is_self(proc_pid_dir) ? fd : -1;

	errno = 0;
	while ((entry = readdir(dir))) {
		if (text_to_int(entry->d_name, &number) == 0 && number != skip)
			*vector_push(&fds) = number;
	}
	if (errno) {
		int error = -errno;

		vector_done(&fds);
		return error;
	}
	if (fds.n)
		qsort(fds.items, fds.n, sizeof(int), compare_ints);
	else
		fds.items = xzalloc(sizeof(int));
	*ret = fds.items;
	return (int)fds.n;
}

static rlim_t read_highest_limit(void)
{
	char text[32];

	if (file_read_text(AT_FDCWD, "/proc/sys/fs/nr_open", text, sizeof(text)) <= 0)
		return 0;
	return strtoul(text, NULL, 10);
}

uint64_t fd_raise_limit(void)
{
	struct rlimit limit, highest;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	highest.rlim_cur = highest.rlim_max = read_highest_limit();
	if (highest.rlim_max > limit.rlim_max && setrlimit(RLIMIT_NOFILE, &highest) == 0)
		return highest.rlim_cur;
	/* Without CAP_SYS_RESOURCE only this much is possible. */
	if (limit.rlim_cur < limit.rlim_max) {
		rlim_t old = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			return old;
	}
	return limit.rlim_cur;
}

void fd_reserve(unsigned n)
{
	struct rlimit limit;
	int fd, high;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (n > limit.rlim_cur)
		n = (unsigned)limit.rlim_cur;
	fd = open("/", O_PATH | O_CLOEXEC);
	if (fd < 0 || !n)
		return;
	high = fcntl(fd, F_DUPFD_CLOEXEC, (int)n - 1);
	if (high >= 0)
		close(high);
	close(fd);
}

int fd_close_others(const int *kept, unsigned n)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), start = 0, next;

	if (null < 0)
		return -errno;
	for (;; start = next + 1) {
		next = INT_MAX;
		for (unsigned i = 0; i < n; i++)
			if (kept[i] >= start && kept[i] < next)
				next = kept[i];
		if (null >= start && null < next)
			next = null;
		if (next > start)
			(void)close_range((unsigned)start, next == INT_MAX ? ~0u : (unsigned)next - 1, 0);
		if (next == INT_MAX)
			break;
	}
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
	return 0;
}

union fds_control {
	char capacity[CMSG_SPACE(FDS_SENT_MAX * sizeof(int))];
	struct cmsghdr align;
};

int fd_send(int socket, const int *fds, unsigned n)
{
	union fds_control control = { 0 };
	char byte = 0;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	*header = (struct cmsghdr){ CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(header), fds, n * sizeof(int));
	while (sendmsg(socket, &message, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int fd_receive(int socket, int *fds)
{
	union fds_control control;
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *header;
	ssize_t got;

	while ((got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
		;
	if (got < 0)
		return -errno;
	header = CMSG_FIRSTHDR(&message);
	if (!got || !header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		return 0;
	memcpy(fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
	return (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
}
