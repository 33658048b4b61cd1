/* SPDX-License-Identifier: LGPL-2.1-only */
/* Threads (/proc/PID/task) and children (/proc/PID/task/TID/children). */
#include "kern/proc/children.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/vector.h"
#include "kern/proc/proc.h"
#include "kern/proc/scan.h"

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

int proc_threads_read(int proc, struct proc_pids *ret)
{
	int fd = openat(proc, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	pid_t tid;

	ret->n = 0;
	if (!dir) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return proc_fail(error, "task");
	}
	errno = 0;
	while ((entry = readdir(dir))) {
		if (text_to_int(entry->d_name, &tid) == 0)
			*vector_push(ret) = tid;
	}
	if (errno)
		return proc_fail(errno, "task");
	if (!ret->n)
		return -ESRCH;
	qsort(ret->items, ret->n, sizeof(*ret->items), compare_pids);
	return 0;
}

int proc_pids_parse(const char *text, struct proc_pids *pids)
{
	const char *p = text;

	for (;;) {
		uint64_t pid;

		scan_blanks(&p);
		if (scan_char(&p, '\n'))
			continue;
		if (!*p)
			return 0;
		if (!scan_dec(&p, &pid) || pid > INT32_MAX)
			return refuse(EINVAL, "\"%.40s\" of /proc/PID/task/TID/children is no pid", p);
		*vector_push(pids) = (pid_t)pid;
	}
}

int proc_children_add(int proc, pid_t tid, struct proc_pids *pids)
{
	AUTO(buffer_done) struct buffer text = { 0 };

	TRY(proc_read_thread_pids(proc, tid, "children", &text));
	return proc_pids_parse(text.data, pids);
}

int proc_children_read(int proc, struct proc_pids *ret)
{
	AUTO(proc_pids_done) struct proc_pids threads = { 0 };

	ret->n = 0;
	TRY(proc_threads_read(proc, &threads));
	for (size_t i = 0; i < threads.n; i++) {
		int error = proc_children_add(proc, threads.items[i], ret);

		if (error == -ENOENT && threads.n > 1)
			continue; /* this thread ended just now */
		TRY(error);
	}
	return 0;
}

void proc_pids_done(struct proc_pids *pids)
{
	vector_done(pids);
}
