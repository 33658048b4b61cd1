// SPDX-License-Identifier: GPL-2.0-only
/* Stopped processes with signals that wait, not blocked: they stay stopped, and get them when they go on. */
#include "subject.h"

#include <pthread.h>

SUBJECT()

static volatile sig_atomic_t handled;

static void handle(int signal)
{
	handled = signal;
}

static void *idle(void *arg)
{
	sleep(30);
	return NULL;
}

static int handles(void *arg)
{
	pthread_t thread;

	signal(SIGUSR1, handle);
	if (arg)
		CHECK_EQUAL(pthread_create(&thread, NULL, idle, NULL), 0);
	announce_waiter();
	raise(SIGSTOP);
	/* A thread that is stopped here takes it on its way out. */
	for (int i = 0; i < 6000 && !handled; i++)
		sleep_ms(10);
	CHECK_EQUAL(handled, SIGUSR1);
	return 3;
}

static int dies(void *arg)
{
	must(setpgid(0, 0)); /* the kernel does not stop orphaned groups */
	announce_waiter();
	raise(SIGTSTP);
	return 4;
}

static void await_stop(pid_t pid)
{
	siginfo_t info;

	must(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT));
}

int main(void)
{
	pid_t pids[3];
	int status;

	pids[0] = start_child(handles, NULL);
	pids[1] = start_child(handles, "with a thread");
	pids[2] = start_child(dies, NULL);
	for (int i = 0; i < 3; i++)
		await_stop(pids[i]);
	must(kill(pids[0], SIGUSR1));
	must(kill(pids[1], SIGUSR1));
	must(kill(pids[2], SIGTERM));

	checkpoint_with(3);

	for (int i = 0; i < 3; i++)
		await_stop(pids[i]);
	for (int i = 0; i < 3; i++)
		must(kill(pids[i], SIGCONT));
	join_child(pids[0], 3);
	join_child(pids[1], 3);
	must(waitpid(pids[2], &status, 0));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	return 0;
}
