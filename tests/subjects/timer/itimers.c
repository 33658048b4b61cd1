// SPDX-License-Identifier: GPL-2.0-only
/* Interval timers: time left and interval, stopped ones, and one that goes on ringing. */
#include "subject.h"

#include <sys/time.h>

SUBJECT(.ignore = "SigPnd ShdPnd")

static volatile sig_atomic_t rang;

static void ring(int signal)
{
	rang++;
}

static int child(void *arg)
{
	struct itimerval value = { { 0, 50000 }, { 0, 50000 } };
	int before;

	signal(SIGALRM, ring);
	must(setitimer(ITIMER_REAL, &value, NULL));
	wait_for_restore();
	before = rang;
	for (int i = 0; i < 6000 && rang < before + 3; i++)
		sleep_ms(10);
	CHECK(rang >= before + 3);
	return 0;
}

static void check_left(int which, long seconds, long interval)
{
	struct itimerval value;

	must(getitimer(which, &value));
	CHECK(value.it_value.tv_sec <= seconds && value.it_value.tv_sec > seconds - 120);
	CHECK_EQUAL(value.it_interval.tv_sec, interval);
}

int main(void)
{
	struct itimerval real = { { 3000, 0 }, { 2000, 0 } }, virtual = { { 0, 0 }, { 1000, 0 } }, none;
	pid_t pid;

	must(setitimer(ITIMER_REAL, &real, NULL));
	must(setitimer(ITIMER_VIRTUAL, &virtual, NULL));
	pid = start_child(child, NULL);

	checkpoint_with(1);

	check_left(ITIMER_REAL, 2000, 3000);
	check_left(ITIMER_VIRTUAL, 1000, 0);
	must(getitimer(ITIMER_PROF, &none));
	CHECK_EQUAL(none.it_value.tv_sec, 0);
	CHECK_EQUAL(none.it_value.tv_usec, 0);
	join_child(pid, 0);
	return 0;
}
