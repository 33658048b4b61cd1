// SPDX-License-Identifier: GPL-2.0-only
/* Stopped children: a parent that has asked for the stop does not hear of it again, one that has not still does; no
 * SIGCHLD comes anew. */
#include "subject.h"

#include <pthread.h>

SUBJECT()

static sigset_t chld;

static void *idle(void *arg)
{
	while (!is_restored())
		sleep_ms(5);
	return NULL;
}

static int stops(void *arg)
{
	pthread_t thread;

	if (arg)
		CHECK_EQUAL(pthread_create(&thread, NULL, idle, NULL), 0);
	announce_waiter();
	raise(SIGSTOP);
	if (arg)
		CHECK_EQUAL(pthread_join(thread, NULL), 0);
	return 5;
}

/* A stopped process with a stopped child that it has not asked for. */
static int stops_with_child(void *arg)
{
	pid_t pid = start_child(stops, NULL);
	siginfo_t info;

	must(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT));
	announce_waiter();
	raise(SIGSTOP);
	must(waitid(P_PID, (id_t)pid, &info, WSTOPPED));
	CHECK_EQUAL(info.si_code, CLD_STOPPED);
	CHECK_EQUAL(info.si_status, SIGSTOP);
	must(kill(pid, SIGCONT));
	join_child(pid, 5);
	return 6;
}

static void await_stop(pid_t pid, int flags)
{
	siginfo_t info;

	must(waitid(P_PID, (id_t)pid, &info, WSTOPPED | flags));
	CHECK_EQUAL(info.si_code, CLD_STOPPED);
}

static void no_sigchld(void)
{
	CHECK(sigtimedwait(&chld, NULL, &(struct timespec){ 0, 0 }) == -1 && errno == EAGAIN);
}

int main(void)
{
	pid_t asked, unasked, parent;
	int status;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	must(sigprocmask(SIG_BLOCK, &chld, NULL));
	asked = start_child(stops, "with a thread");
	unasked = start_child(stops, NULL);
	parent = start_child(stops_with_child, NULL);
	await_stop(asked, 0);
	await_stop(unasked, WNOWAIT);
	await_stop(parent, 0);
	while (sigtimedwait(&chld, NULL, &(struct timespec){ 0, 0 }) > 0)
		;

	checkpoint_with(4);

	no_sigchld();
	CHECK_EQUAL(waitpid(asked, &status, WNOHANG | WUNTRACED), 0);
	CHECK_EQUAL(waitpid(parent, &status, WNOHANG | WUNTRACED), 0);
	CHECK_EQUAL(waitpid(unasked, &status, WNOHANG | WUNTRACED), unasked);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	must(kill(asked, SIGCONT));
	must(kill(unasked, SIGCONT));
	must(kill(parent, SIGCONT));
	join_child(asked, 5);
	join_child(unasked, 5);
	join_child(parent, 6);
	return 0;
}
