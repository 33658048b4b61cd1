// SPDX-License-Identifier: GPL-2.0-only
/* Timerfds of all clocks keep what is left, their interval and what has expired unread. */
#include <poll.h>
#include <sys/timerfd.h>
#include <time.h>

#include "subject.h"

SUBJECT()

static int make(int clock, int flags, struct itimerspec timer)
{
	int fd = must(timerfd_create(clock, TFD_NONBLOCK));

	must(timerfd_settime(fd, flags, &timer, NULL));
	return fd;
}

/* The interrupt of a timer may come later than its time. */
static void await_readable(int fd)
{
	CHECK_EQUAL(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1), 1);
}

int main(void)
{
	struct timespec now;
	struct itimerspec left;
	uint64_t ticks;

	must(clock_gettime(CLOCK_REALTIME, &now));

	int far = make(CLOCK_MONOTONIC, 0, (struct itimerspec){ { 7, 5 }, { 3600, 0 } });
	int absolute = make(CLOCK_REALTIME, TFD_TIMER_ABSTIME, (struct itimerspec){ { 0 }, { now.tv_sec + 3600, 0 } });
	int boot = make(CLOCK_BOOTTIME, 0, (struct itimerspec){ { 0 }, { 1800, 0 } });
	int expired = make(CLOCK_MONOTONIC, 0, (struct itimerspec){ { 0 }, { 0, 1000 } });
	int periodic = make(CLOCK_MONOTONIC, 0, (struct itimerspec){ { 0, 10000000 }, { 0, 10000000 } });
	int idle = must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));

	sleep_ms(60);

	checkpoint();

	must(timerfd_gettime(far, &left));
	CHECK(left.it_value.tv_sec > 3500 && left.it_value.tv_sec < 3600);
	CHECK(left.it_interval.tv_sec == 7 && left.it_interval.tv_nsec == 5);
	must(timerfd_gettime(absolute, &left));
	CHECK(left.it_value.tv_sec > 3500 && left.it_value.tv_sec < 3600);
	must(timerfd_gettime(boot, &left));
	CHECK(left.it_value.tv_sec > 1700 && left.it_value.tv_sec < 1800);
	await_readable(expired);
	CHECK_EQUAL(read(expired, &ticks, sizeof(ticks)), sizeof(ticks));
	CHECK_EQUAL(ticks, 1);
	must(timerfd_gettime(expired, &left));
	CHECK(!left.it_value.tv_sec && !left.it_value.tv_nsec);
	await_readable(periodic);
	CHECK_EQUAL(read(periodic, &ticks, sizeof(ticks)), sizeof(ticks));
	CHECK(ticks >= 5);
	await_readable(periodic);
	CHECK_EQUAL(read(periodic, &ticks, sizeof(ticks)), sizeof(ticks));
	CHECK_EQUAL(read(idle, &ticks, sizeof(ticks)), -1);
	CHECK_EQUAL(errno, EAGAIN);
	return 0;
}
