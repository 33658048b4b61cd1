/* SPDX-License-Identifier: GPL-2.0-only */
/* Which process outside of the tree has a unix socket. */
#include "object/socket/unix/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/file.h"
#include "kern/pidfd.h"

#ifndef SIOCUNIXFILE
#define SIOCUNIXFILE (SIOCPROTOPRIVATE + 0) /* Linux 4.11 */
#endif

struct holder {
	pid_t pid;
	int fd;
	char comm[32];
};

static int find_link(int proc, const char *link)
{
	AUTO_FREE int *numbers = NULL;
	int n = fd_list(proc, "fd", &numbers);
	char path[32], text[64];

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "fd/%d", numbers[i]);
		if (file_readlink(proc, path, text, sizeof(text)) > 0 && !strcmp(text, link))
			return numbers[i];
	}
	return -1;
}

static bool find_holder(uint32_t ino, struct holder *ret)
{
	AUTO_CLOSEDIR DIR *dir = opendir("/proc");
	char link[32];

	snprintf(link, sizeof(link), "socket:[%u]", ino);
	for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
		AUTO_CLOSE int proc = -1;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		proc = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ret->fd = proc >= 0 ? find_link(proc, link) : -1;
		if (ret->fd < 0)
			continue;
		ret->pid = atoi(entry->d_name);
		if (file_read_text(proc, "comm", ret->comm, sizeof(ret->comm)) < 0)
			strcpy(ret->comm, "?");
		ret->comm[strcspn(ret->comm, "\n")] = '\0';
		return true;
	}
	return false;
}

bool unix_describe_holder(uint32_t ino, char *to, size_t capacity)
{
	struct holder holder;

	if (!find_holder(ino, &holder)) {
		snprintf(to, capacity, "a process that cannot be found");
		return false;
	}
	snprintf(to, capacity, "fd %d of process %d (%s)", holder.fd, holder.pid, holder.comm);
	return true;
}

int unix_find_path(uint32_t ino, char *to, size_t capacity)
{
	AUTO_CLOSE int process = -1, fd = -1, file = -1;
	struct holder holder;
	char link[32];
	ssize_t size;

	if (!find_holder(ino, &holder))
		return -ENOENT;
	process = pidfd_of_process(holder.pid);
	fd = process < 0 ? process : pidfd_take_fd(process, holder.fd);
	if (fd < 0)
		return fd;
	file = ioctl(fd, SIOCUNIXFILE);
	if (file < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
	size = file_readlink(AT_FDCWD, link, to, capacity);
	return size < 0 ? (int)size : 0;
}
