// SPDX-License-Identifier: GPL-2.0-only
/* Running POSIX timers ring on, with their value, in the thread that they are for. */
#include "subject.h"

#include <pthread.h>
#include <time.h>

SUBJECT(.ignore = "SigPnd ShdPnd")

static volatile sig_atomic_t rang, wrong, done;
static volatile pid_t target;

static void ring(int signal, siginfo_t *info, void *context)
{
	if (info->si_code != SI_TIMER || info->si_value.sival_int != 4711 ||
	    (signal == SIGRTMIN + 5 && syscall(SYS_gettid) != target))
		wrong++;
	else
		rang++;
}

static void *work(void *arg)
{
	target = (pid_t)syscall(SYS_gettid);
	wait_for_restore();
	while (!done)
		sleep_ms(10);
	return NULL;
}

static void start(int signal, pid_t tid, long ms)
{
	struct sigevent event = { .sigev_notify = tid ? SIGEV_THREAD_ID : SIGEV_SIGNAL, .sigev_signo = signal };
	struct itimerspec value = { { 0, ms * 1000000 }, { 0, ms * 1000000 } };
	int id;

	event.sigev_value.sival_int = 4711;
	event._sigev_un._tid = tid;
	must(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
	must(syscall(SYS_timer_settime, id, 0, &value, NULL));
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = ring, .sa_flags = SA_SIGINFO | SA_RESTART };
	pthread_t thread;
	int before;

	must(sigaction(SIGRTMIN + 5, &action, NULL));
	must(sigaction(SIGRTMIN + 6, &action, NULL));
	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);
	while (!target)
		sleep_ms(1);
	start(SIGRTMIN + 5, target, 20);
	start(SIGRTMIN + 6, 0, 30);

	checkpoint_with(1);

	before = rang;
	for (int i = 0; i < 6000 && rang < before + 10; i++)
		sleep_ms(10);
	CHECK_EQUAL(wrong, 0);
	CHECK(rang >= before + 10);
	done = 1;
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	CHECK_EQUAL(wrong, 0);
	return 0;
}
