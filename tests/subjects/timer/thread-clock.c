// SPDX-License-Identifier: GPL-2.0-only
/* A timer on the CPU clock of one thread, made by that thread, and one whose target thread has ended. */
#include "subject.h"

#include <pthread.h>
#include <time.h>

SUBJECT(.not_ways = "twice", .ignore = "timers", .seconds = 120)

static volatile sig_atomic_t rang;
static int own = -1, orphan = -1;

static void ring(int signal)
{
	rang++;
}

static int make(clockid_t clock)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 1 };
	int id;

	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	must(syscall(SYS_timer_create, clock, &event, &id));
	return id;
}

static void *times_itself(void *arg)
{
	struct itimerspec value = { { 0, 0 }, { 0, 300000000 } };

	own = make(CLOCK_THREAD_CPUTIME_ID);
	must(syscall(SYS_timer_settime, own, 0, &value, NULL));
	wait_for_restore();
	for (time_t end = time(NULL) + 100; !rang && time(NULL) < end;)
		;
	CHECK_EQUAL(rang, 1);
	return NULL;
}

static void *ends(void *arg)
{
	struct itimerspec value = { { 1, 0 }, { 1000, 0 } };

	orphan = make(CLOCK_MONOTONIC);
	must(syscall(SYS_timer_settime, orphan, 0, &value, NULL));
	return NULL;
}

int main(void)
{
	struct itimerspec value;
	pthread_t thread;

	signal(SIGRTMIN + 1, ring);
	CHECK_EQUAL(pthread_create(&thread, NULL, ends, NULL), 0);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	CHECK_EQUAL(pthread_create(&thread, NULL, times_itself, NULL), 0);

	checkpoint_with(1);

	CHECK_EQUAL(syscall(SYS_timer_gettime, orphan, &value), 0);
	CHECK(value.it_value.tv_sec > 500 && value.it_value.tv_sec < 1000);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	return 0;
}
