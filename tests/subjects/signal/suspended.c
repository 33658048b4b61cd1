// SPDX-License-Identifier: GPL-2.0-only
/* A thread in sigsuspend(2) goes on to wait with the mask of the call, and gets its own back afterwards. */
#include "subject.h"

#include <pthread.h>

SUBJECT()

static volatile sig_atomic_t handled;
static volatile pid_t tid;

static void handle(int signal)
{
	sigset_t mask;

	handled = signal;
	must(sigprocmask(SIG_BLOCK, NULL, &mask));
	CHECK(sigismember(&mask, SIGUSR1));
	CHECK(sigismember(&mask, SIGHUP));
	CHECK(!sigismember(&mask, SIGTERM));
}

static void *work(void *arg)
{
	sigset_t wait, mask;

	sigemptyset(&wait);
	sigaddset(&wait, SIGHUP);
	announce_waiter();
	tid = (pid_t)syscall(SYS_gettid);
	CHECK(sigsuspend(&wait) == -1 && errno == EINTR);
	CHECK_EQUAL(handled, SIGUSR1);
	must(sigprocmask(SIG_BLOCK, NULL, &mask));
	CHECK(sigismember(&mask, SIGUSR1));
	CHECK(sigismember(&mask, SIGTERM));
	CHECK(!sigismember(&mask, SIGHUP));
	return NULL;
}

int main(void)
{
	struct sigaction action = { .sa_handler = handle };
	pthread_t thread;
	sigset_t mask;

	must(sigaction(SIGUSR1, &action, NULL));
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGTERM);
	must(sigprocmask(SIG_BLOCK, &mask, NULL));
	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);
	while (!tid)
		sleep_ms(1);
	await_call(tid, SYS_rt_sigsuspend);

	checkpoint_with(1);

	CHECK_EQUAL(handled, 0);
	CHECK_EQUAL(pthread_kill(thread, SIGUSR1), 0);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	return 0;
}
