// SPDX-License-Identifier: GPL-2.0-only
/* One of many threads has a child, and another one has asked for a time namespace for its children. */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "subject.h"

SUBJECT(.seconds = 30, .ignore = "children") /* a restored one is a child of the main thread */

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define N      130
#define PARENT 40
#define AWAY   90
#define DAY    86400

static bool there_are_time_namespaces;

static int child(void *arg)
{
	wait_for_restore();
	return 7;
}

static int look(void *arg)
{
	struct timespec now;

	CHECK_EQUAL(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	*(time_t *)arg = now.tv_sec;
	return 0;
}

static void ask(void)
{
	char link[64] = "", path[64];
	int fd;

	if (geteuid() != 0 || access("/proc/self/ns/time", F_OK) < 0)
		return;
	must(unshare(CLONE_NEWTIME));
	there_are_time_namespaces = true;
	must(readlink("/proc/thread-self", link, sizeof(link) - 1)); /* as that /proc sees it: "PID/task/TID" */
	snprintf(path, sizeof(path), "/proc%s/timens_offsets", strrchr(link, '/'));
	fd = must(open(path, O_WRONLY));
	must(write(fd, "monotonic 864000000 0\n", 22)); /* 10000 days */
	close(fd);
}

static void check_away(void)
{
	time_t *there = must(mmap(NULL, sizeof(*there), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)),
	       now;

	look(&now);
	join_child(start_child(look, there), 0);
	CHECK(*there >= now + 10000ll * DAY);
}

static void *work(void *arg)
{
	long number = (long)arg;
	pid_t pid = 0;

	if (number == PARENT)
		pid = start_child(child, NULL);
	if (number == AWAY)
		ask();
	wait_for_restore();
	if (number == PARENT)
		join_child(pid, 7);
	if (number == AWAY && there_are_time_namespaces)
		check_away();
	return NULL;
}

int main(void)
{
	pthread_t threads[N];

	for (long i = 0; i < N; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, work, (void *)i), 0);

	checkpoint_with(N + 1);

	for (long i = 0; i < N; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	return 0;
}
