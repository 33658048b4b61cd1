// SPDX-License-Identifier: GPL-2.0-only
/* The overruns of the last signal of a timer can still be asked for; so can its next time. */
#include "subject.h"

#include <time.h>

SUBJECT(.ignore = "SigPnd ShdPnd") /* the next signal comes when its time has come */

#define INTERVAL_MS 400

static long now_ms(void)
{
	struct timespec now;

	must(clock_gettime(CLOCK_MONOTONIC, &now));
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void set_and_take(int id, int signal, long interval_ms, long wait_ms)
{
	struct itimerspec value = { { 0, interval_ms * 1000000 }, { 0, interval_ms * 1000000 } };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	must(syscall(SYS_timer_settime, id, 0, &value, NULL));
	sleep_ms((unsigned)wait_ms);
	must(sigwaitinfo(&set, NULL));
}

int main(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1 };
	sigset_t set;
	int id, before, after;
	long start;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGRTMIN + 2);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	must(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
	set_and_take(id, SIGRTMIN + 1, INTERVAL_MS, 2100);
	before = (int)must(syscall(SYS_timer_getoverrun, id));
	CHECK(before >= 4);

	start = now_ms();
	checkpoint();

	after = (int)syscall(SYS_timer_getoverrun, id);
	/* On a slow machine intervals may have gone by in the middle of the restore. */
	CHECK(after >= before && after <= before + (now_ms() - start) / INTERVAL_MS + 1);
	CHECK(sigwaitinfo(&set, NULL) == SIGRTMIN + 1);
	return 0;
}
