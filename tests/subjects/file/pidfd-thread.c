// SPDX-License-Identifier: GPL-2.0-only
/* A pidfd of a thread refers to that thread. */
#include <poll.h>
#include <pthread.h>

#include "subject.h"

SUBJECT()

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

static pid_t tid;

static void *run(void *arg)
{
	tid = (pid_t)syscall(SYS_gettid);
	wait_for_restore();
	return NULL;
}

int main(void)
{
	pthread_t thread;
	struct pollfd ask = { .events = POLLIN };

	must(pthread_create(&thread, NULL, run, NULL));
	while (!__atomic_load_n(&tid, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	ask.fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);
	if (ask.fd < 0)
		skip("this kernel has no pidfds of threads");

	checkpoint_with(1);

	pthread_join(thread, NULL);
	CHECK_EQUAL(poll(&ask, 1, -1), 1);
	/* It has ended, but may not yet have lost its number. */
	while (syscall(SYS_pidfd_send_signal, ask.fd, 0, NULL, 0) == 0)
		sleep_ms(1);
	CHECK_EQUAL(errno, ESRCH);
	return 0;
}
