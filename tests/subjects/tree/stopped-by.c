// SPDX-License-Identifier: GPL-2.0-only
/* Jobs of a shell that were stopped by the terminal's signals: their parent hears of the same signal. */
#include "subject.h"

#include <pthread.h>

SUBJECT()

static const int stops[] = { SIGTSTP, SIGTTIN, SIGTTOU, SIGSTOP };

#define N (ARRAY_SIZE(stops))

static void *idle(void *arg)
{
	while (!is_restored())
		sleep_ms(5);
	return NULL;
}

/* A job of two threads, in a process group of its own. */
static int job(void *arg)
{
	pthread_t thread;

	CHECK_EQUAL(pthread_create(&thread, NULL, idle, NULL), 0);
	must(setpgid(0, 0));
	announce_waiter();
	raise(*(const int *)arg);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	return 7;
}

static void look(const pid_t *jobs)
{
	for (size_t i = 0; i < N; i++) {
		siginfo_t info = { 0 };

		must(waitid(P_PID, (id_t)jobs[i], &info, WSTOPPED | WNOWAIT));
		CHECK_EQUAL(info.si_code, CLD_STOPPED);
		CHECK_EQUAL(info.si_status, stops[i]);
	}
}

int main(void)
{
	pid_t jobs[N];

	for (size_t i = 0; i < N; i++)
		jobs[i] = start_child(job, (void *)&stops[i]);
	look(jobs);

	checkpoint_with(N);

	look(jobs);
	for (size_t i = 0; i < N; i++) {
		must(kill(jobs[i], SIGCONT));
		join_child(jobs[i], 7);
	}
	return 0;
}
