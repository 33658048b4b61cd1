// SPDX-License-Identifier: GPL-2.0-only
/* A process that has asked for a time namespace for its children: its own clocks go on, those of its children are far
 * from them. A child, in a time namespace already, has asked for another one. */
#include <sched.h>
#include <time.h>

#include "subject.h"

SUBJECT()

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define DAY 86400

static time_t seconds(void)
{
	struct timespec now;

	CHECK_EQUAL(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return now.tv_sec;
}

static void ask(const char *offsets)
{
	int fd;

	must(unshare(CLONE_NEWTIME));
	fd = must(open("/proc/self/timens_offsets", O_WRONLY));
	must(write(fd, offsets, strlen(offsets)));
	close(fd);
}

static int look(void *arg)
{
	*(time_t *)arg = seconds();
	return 0;
}

/* No machine is slower than a thousandth of what is between the clocks. */
static void check(time_t before, time_t distance)
{
	time_t *there = must(mmap(NULL, sizeof(*there), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	time_t now = seconds();

	CHECK(now >= before && now < before + DAY);
	join_child(start_child(look, there), 0);
	CHECK(*there >= now + distance);
	CHECK(*there < now + distance + DAY);
}

static int child(void *arg)
{
	time_t before = seconds();

	ask("monotonic 345600000 0\n"); /* 4000 days, 3000 from the own ones */
	wait_for_restore();
	check(before, 3000 * DAY);
	return 0;
}

int main(void)
{
	time_t before = seconds();
	pid_t pid;

	if (unshare(CLONE_NEWTIME) < 0)
		skip("there are no time namespaces");
	ask("monotonic 86400000 0\n"); /* 1000 days */
	pid = start_child(child, NULL);
	ask("monotonic 172800000 0\n"); /* 2000 days */

	checkpoint_with(1);

	check(before, 2000 * DAY);
	join_child(pid, 0);
	return 0;
}
