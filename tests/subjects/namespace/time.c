// SPDX-License-Identifier: GPL-2.0-only
/* A process in a time namespace of its own: its clocks go on, far from those of the host, also in a child and in timers
 * of all sorts. */
#include <sched.h>
#include <sys/timerfd.h>
#include <time.h>

#include "subject.h"

SUBJECT()

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define DAY 86400

static time_t seconds(clockid_t clock)
{
	struct timespec now;

	CHECK_EQUAL(clock_gettime(clock, &now), 0);
	return now.tv_sec;
}

/* Behind the time before the checkpoint, and not by a day: no machine is that slow. */
static void check_clocks(const time_t *before)
{
	CHECK(seconds(CLOCK_MONOTONIC) >= before[0] && seconds(CLOCK_MONOTONIC) < before[0] + DAY);
	CHECK(seconds(CLOCK_BOOTTIME) >= before[1] && seconds(CLOCK_BOOTTIME) < before[1] + DAY);
}

static int child(void *arg)
{
	wait_for_restore();
	check_clocks(arg);
	return 0;
}

static int live(void *arg)
{
	time_t before[] = { seconds(CLOCK_MONOTONIC), seconds(CLOCK_BOOTTIME) };
	struct itimerspec alarm = { .it_value.tv_sec = before[0] + 3 * DAY }, left;
	int fd = must(timerfd_create(CLOCK_MONOTONIC, 0));
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	struct timespec past = { .tv_sec = before[0] - 1 };
	pid_t pid;

	CHECK(before[0] > 1000 * DAY && before[1] > 2000 * DAY);
	must(timerfd_settime(fd, TFD_TIMER_ABSTIME, &alarm, NULL));
	must(timer_create(CLOCK_MONOTONIC, &event, &timer));
	must(timer_settime(timer, TIMER_ABSTIME, &alarm, NULL));
	pid = start_child(child, before);

	checkpoint_with(1);

	check_clocks(before);
	CHECK_EQUAL(timerfd_gettime(fd, &left), 0);
	CHECK(left.it_value.tv_sec > 2 * DAY && left.it_value.tv_sec <= 3 * DAY);
	CHECK_EQUAL(timer_gettime(timer, &left), 0);
	CHECK(left.it_value.tv_sec > 2 * DAY && left.it_value.tv_sec <= 3 * DAY);
	/* That has passed in this namespace only. */
	CHECK_EQUAL(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL), 0);
	join_child(pid, 0);
	return 0;
}

int main(void)
{
	static const char offsets[] = "monotonic 100000000 5\nboottime 200000000 999999999\n";
	int fd, own;
	pid_t pid;

	if (unshare(CLONE_NEWTIME) < 0)
		skip("there are no time namespaces");
	fd = must(open("/proc/self/timens_offsets", O_WRONLY));
	must(write(fd, offsets, sizeof(offsets) - 1));
	close(fd);
	own = must(open("/proc/self/ns/time_for_children", O_RDONLY));
	must(setns(own, CLONE_NEWTIME));
	close(own);
	pid = getpid();
	CHECK_EQUAL(live(NULL), 0);
	CHECK_EQUAL(getpid(), pid);
	return 0;
}
