// SPDX-License-Identifier: GPL-2.0-only
/* A worker of an io_uring is known as one by whatever name: a new one has that of its maker until it runs first. */
#include <dirent.h>

#include "uring.h"

SUBJECT(.ignore = "threads Threads")

/* The number of a thread whose name begins so; 0: there is none. */
static pid_t find_thread(const char *name)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	pid_t found = 0;

	CHECK(dir != NULL);
	while (!found && (entry = readdir(dir))) {
		char path[64], text[32] = "";
		int fd;

		snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm", entry->d_name);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		if (read(fd, text, sizeof(text) - 1) > 0 && !strncmp(text, name, strlen(name)))
			found = atoi(entry->d_name);
		close(fd);
	}
	closedir(dir);
	return found;
}

static void rename_thread(pid_t tid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", tid);
	fd = must(open(path, O_WRONLY));
	CHECK_EQUAL(write(fd, name, strlen(name)), strlen(name));
	close(fd);
}

int main(void)
{
	struct uring u;
	pid_t worker;

	uring_make(&u, 4, 0);
	uring_next(&u, 1)->flags = IOSQE_ASYNC;
	uring_put(&u);
	CHECK_EQUAL(uring_enter(&u, 1, 1), 1);
	uring_take(&u, 1, 1);
	worker = find_thread("iou-wrk");
	if (!worker)
		skip("no worker has done a request that was for one");
	rename_thread(worker, "plain");
	CHECK_EQUAL(find_thread("plain"), worker);

	checkpoint();

	uring_nops(&u, 1, 2);
	uring_take(&u, 1, 2);
	return 0;
}
