// SPDX-License-Identifier: GPL-2.0-only
/* Signals of timers that wait come with their value, and the timers go on: alarm, POSIX timer of the process and of a
 * thread. */
#include "subject.h"

#include <pthread.h>
#include <sys/time.h>
#include <time.h>

SUBJECT(.ignore = "SigPnd ShdPnd")

static const struct timespec grace = { 60, 0 };

static void start(int signal, pid_t tid, int value)
{
	struct sigevent event = { .sigev_notify = tid ? SIGEV_THREAD_ID : SIGEV_SIGNAL, .sigev_signo = signal };
	struct itimerspec every = { { 0, 30000000 }, { 0, 1 } };
	int id;

	event.sigev_value.sival_int = value;
	event._sigev_un._tid = tid;
	must(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
	must(syscall(SYS_timer_settime, id, 0, &every, NULL));
}

static void take(int signal, int code, int value)
{
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	for (int i = 0; i < 5; i++) {
		CHECK_EQUAL(sigtimedwait(&set, &info, &grace), signal);
		CHECK_EQUAL(info.si_code, code);
		if (code == SI_TIMER)
			CHECK_EQUAL(info.si_value.sival_int, value);
	}
}

static void *work(void *arg)
{
	start(SIGRTMIN + 2, (pid_t)syscall(SYS_gettid), 22);
	sleep_ms(10);
	wait_for_restore();
	take(SIGRTMIN + 2, SI_TIMER, 22);
	return NULL;
}

int main(void)
{
	struct itimerval alarm = { { 0, 30000 }, { 0, 1 } };
	pthread_t thread;
	sigset_t set;

	sigfillset(&set);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	start(SIGRTMIN + 1, 0, 11);
	start(SIGUSR1, 0, 33); /* not a real-time signal */
	must(setitimer(ITIMER_REAL, &alarm, NULL));
	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);
	sleep_ms(10);

	checkpoint_with(1);

	take(SIGRTMIN + 1, SI_TIMER, 11);
	take(SIGUSR1, SI_TIMER, 33);
	take(SIGALRM, SI_KERNEL, 0);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	return 0;
}
