// SPDX-License-Identifier: GPL-2.0-only
/* Processes of one tree live by different clocks: those of the host, and of two time namespaces one in the other. */
#include <sched.h>
#include <time.h>

#include "subject.h"

SUBJECT()

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define DAY 86400

static void go_to(const char *offset)
{
	int fd, own;

	must(unshare(CLONE_NEWTIME));
	fd = must(open("/proc/self/timens_offsets", O_WRONLY));
	must(write(fd, offset, strlen(offset)));
	close(fd);
	own = must(open("/proc/self/ns/time_for_children", O_RDONLY));
	must(setns(own, CLONE_NEWTIME));
	close(own);
}

static time_t seconds(void)
{
	struct timespec now;

	CHECK_EQUAL(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return now.tv_sec;
}

static int inner(void *arg)
{
	time_t before;

	go_to("monotonic 300000000 0\n");
	before = seconds();
	wait_for_restore();
	CHECK(seconds() >= before && seconds() < before + DAY);
	CHECK(seconds() > 300000000);
	return 0;
}

static int outer(void *arg)
{
	time_t before;
	pid_t pid;

	go_to("monotonic 100000000 0\n");
	before = seconds();
	pid = start_child(inner, NULL);
	wait_for_restore();
	CHECK(seconds() >= before && seconds() < before + DAY);
	join_child(pid, 0);
	return 0;
}

int main(void)
{
	time_t before = seconds();
	pid_t pid;
	int try = open("/proc/self/timens_offsets", O_RDONLY);

	if (try < 0)
		skip("there are no time namespaces");
	close(try);
	pid = start_child(outer, NULL);

	checkpoint_with(2);

	CHECK(seconds() >= before && seconds() < before + DAY);
	join_child(pid, 0);
	return 0;
}
