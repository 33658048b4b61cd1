// SPDX-License-Identifier: GPL-2.0-only
/* POSIX timers: ids with gaps, every clock, every way to notify, time left and interval. */
#include "subject.h"

#include <time.h>

SUBJECT()

#define N 12

static const struct {
	clockid_t clock;
	int notify, signal;
	long left, interval; /* seconds; 0 = not running */
} timers[N] = {
	{ CLOCK_REALTIME, SIGEV_SIGNAL, SIGUSR1, 1000, 0 },
	{ CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR2, 2000, 3000 },
	{ CLOCK_BOOTTIME, SIGEV_NONE, 0, 1500, 1 },
	{ CLOCK_TAI, SIGEV_SIGNAL, SIGUSR1, 1200, 7 },
	{ CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, 500, 600 },
	{ CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, 400, 0 },
	{ CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0, 0 },
	{ CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0 },
	{ CLOCK_REALTIME_ALARM, SIGEV_SIGNAL, SIGUSR1, 900, 0 },
	{ CLOCK_BOOTTIME_ALARM, SIGEV_SIGNAL, SIGUSR1, 800, 100 },
	{ CLOCK_MONOTONIC, SIGEV_SIGNAL, 50, 700, 0 },
	{ CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGCHLD, 600, 0 },
};

static int ids[N];

static void make(int i)
{
	struct sigevent event = { .sigev_notify = timers[i].notify, .sigev_signo = timers[i].signal };
	struct itimerspec value = { { timers[i].interval, 0 }, { timers[i].left, 0 } };

	event.sigev_value.sival_ptr = &ids[i];
	if (syscall(SYS_timer_create, timers[i].clock, &event, &ids[i]) < 0) {
		ids[i] = -1; /* alarm clocks take hardware */
		return;
	}
	must(syscall(SYS_timer_settime, ids[i], 0, &value, NULL));
}

static void burn_ids(int n)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };

	while (n--) {
		int id = 0;

		must(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
		must(syscall(SYS_timer_delete, id));
	}
}

int main(void)
{
	for (int i = 0; i < N; i++) {
		make(i);
		burn_ids(i * 7);
	}

	checkpoint();

	for (int i = 0; i < N; i++) {
		struct itimerspec value;

		if (ids[i] < 0)
			continue;
		CHECK_EQUAL(syscall(SYS_timer_gettime, ids[i], &value), 0);
		CHECK(value.it_value.tv_sec <= timers[i].left && value.it_value.tv_sec >= timers[i].left - 120);
		CHECK_EQUAL(!value.it_value.tv_sec && !value.it_value.tv_nsec, !timers[i].left);
		if (timers[i].left)
			CHECK_EQUAL(value.it_interval.tv_sec, timers[i].interval);
		CHECK_EQUAL(syscall(SYS_timer_getoverrun, ids[i]), 0);
	}
	/* New ones can be made. */
	burn_ids(3);
	return 0;
}
