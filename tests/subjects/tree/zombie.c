// SPDX-License-Identifier: GPL-2.0-only
/* Children that nobody has waited for yet keep how they ended: by exit or by a signal. */
#include "subject.h"

SUBJECT()

static int leave(void *arg)
{
	return (int)(long)arg;
}

static int suffer(void *arg)
{
	kill(getpid(), (int)(long)arg);
	return 0;
}

/* Waits until a child is a zombie, without reaping it. */
static void await_zombie(pid_t pid)
{
	siginfo_t info;

	must(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
}

int main(void)
{
	pid_t zero = start_child(leave, (void *)0L), some = start_child(leave, (void *)217L);
	pid_t killed = start_child(suffer, (void *)(long)SIGKILL), termed = start_child(suffer, (void *)(long)SIGTERM);
	int status;

	await_zombie(zero);
	await_zombie(some);
	await_zombie(killed);
	await_zombie(termed);

	checkpoint();

	join_child(zero, 0);
	join_child(some, 217);
	CHECK_EQUAL(waitpid(killed, &status, 0), killed);
	CHECK(WIFSIGNALED(status));
	CHECK_EQUAL(WTERMSIG(status), SIGKILL);
	CHECK_EQUAL(waitpid(termed, &status, 0), termed);
	CHECK(WIFSIGNALED(status));
	CHECK_EQUAL(WTERMSIG(status), SIGTERM);
	return 0;
}
