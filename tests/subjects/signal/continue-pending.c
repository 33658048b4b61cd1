// SPDX-License-Identifier: GPL-2.0-only
/* A SIGCONT that waits because it is blocked, of the process and of a thread. Queued again it must not stop the
 * restore. */
#include "subject.h"

#include <pthread.h>

SUBJECT()

static volatile int handled;

static void handle(int signal)
{
	handled++;
}

static void *be_thread(void *unused)
{
	sigset_t pending;

	must(-pthread_kill(pthread_self(), SIGCONT));
	wait_for_restore();
	CHECK_EQUAL(sigpending(&pending), 0);
	CHECK(sigismember(&pending, SIGCONT));
	return NULL;
}

int main(void)
{
	struct sigaction action = { .sa_handler = handle };
	sigset_t set, pending;
	pthread_t thread;

	sigemptyset(&set);
	sigaddset(&set, SIGCONT);
	must(sigaction(SIGCONT, &action, NULL));
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	must(-pthread_create(&thread, NULL, be_thread, NULL));
	must(kill(getpid(), SIGCONT));

	checkpoint_with(1);

	CHECK_EQUAL(sigpending(&pending), 0);
	CHECK(sigismember(&pending, SIGCONT));
	CHECK_EQUAL(handled, 0);
	pthread_join(thread, NULL);
	CHECK_EQUAL(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
	CHECK_EQUAL(handled, 1);
	return 0;
}
