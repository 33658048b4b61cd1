// SPDX-License-Identifier: GPL-2.0-only
/* Timerfds of the alarm clocks, absolute ones that have expired, ones that are cancelled by a set clock, inherited and
 * duplicated ones. */
#include <poll.h>
#include <sys/timerfd.h>
#include <time.h>

#include "subject.h"

SUBJECT()

static int shared;

static int make(int clock, int flags, struct itimerspec timer)
{
	int fd = timerfd_create(clock, TFD_NONBLOCK);

	if (fd < 0)
		skip("timerfd_create of clock %d: %s", clock, strerror(errno));
	must(timerfd_settime(fd, flags, &timer, NULL));
	return fd;
}

static time_t left(int fd)
{
	struct itimerspec timer;

	must(timerfd_gettime(fd, &timer));
	return timer.it_value.tv_sec;
}

static int work(void *arg)
{
	wait_for_restore();
	CHECK(left(shared) > 900 && left(shared) < 1000);
	must(timerfd_settime(shared, 0, &(struct itimerspec){ .it_value.tv_sec = 5000 }, NULL));
	return 0;
}

int main(void)
{
	struct timespec now;
	uint64_t ticks;

	must(clock_gettime(CLOCK_REALTIME, &now));

	int alarm =
		make(CLOCK_REALTIME_ALARM, TFD_TIMER_ABSTIME, (struct itimerspec){ { 0 }, { now.tv_sec + 700, 0 } });
	int boot = make(CLOCK_BOOTTIME_ALARM, 0, (struct itimerspec){ { 3, 0 }, { 800, 0 } });
	int cancel = make(CLOCK_REALTIME, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
			  (struct itimerspec){ { 0 }, { now.tv_sec + 600, 0 } });
	int late = make(CLOCK_REALTIME, TFD_TIMER_ABSTIME, (struct itimerspec){ { 0 }, { now.tv_sec - 5, 0 } });
	int never = make(CLOCK_REALTIME, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
			 (struct itimerspec){ { 0 }, { 0x7ffffff0, 0 } });
	int disarmed = make(CLOCK_MONOTONIC, 0, (struct itimerspec){ { 5, 0 }, { 50, 0 } });
	int copy = must(fcntl(alarm, F_DUPFD_CLOEXEC, 100));

	shared = make(CLOCK_MONOTONIC, 0, (struct itimerspec){ { 0 }, { 1000, 0 } });
	must(timerfd_settime(disarmed, 0, &(struct itimerspec){ { 5, 0 }, { 0 } }, NULL));
	pid_t child = start_child(work, NULL);

	sleep_ms(5);

	checkpoint_with(1);

	join_child(child, 0);
	CHECK(left(shared) > 4900);
	CHECK(left(alarm) > 600 && left(alarm) < 700);
	CHECK(left(copy) > 600);
	CHECK(fcntl(copy, F_GETFD) == FD_CLOEXEC);
	CHECK(left(boot) > 700 && left(boot) < 800);
	CHECK(left(cancel) > 500 && left(cancel) < 600);
	CHECK(left(never) > 1000000);
	CHECK_EQUAL(left(disarmed), 0);
	CHECK_EQUAL(read(disarmed, &ticks, sizeof(ticks)), -1);
	CHECK_EQUAL(poll(&(struct pollfd){ .fd = late, .events = POLLIN }, 1, -1), 1);
	CHECK_EQUAL(read(late, &ticks, sizeof(ticks)), sizeof(ticks));
	CHECK_EQUAL(ticks, 1);
	CHECK_EQUAL(read(late, &ticks, sizeof(ticks)), -1);
	return 0;
}
