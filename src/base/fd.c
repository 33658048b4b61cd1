/* SPDX-License-Identifier: LGPL-2.1-only */
/* Descriptors. */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
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
