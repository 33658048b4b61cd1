// SPDX-License-Identifier: GPL-2.0-only
/* A thread that watches a word by registers of the CPU, set by a child that is gone, beside one that does not. */
#include "subject.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>

SUBJECT()

static volatile long watched, other;
static volatile sig_atomic_t hits;

static void on_trap(int signal)
{
	hits++;
}

static int set_watch(pid_t tid)
{
	const unsigned long on_write_of_8 = 1 | 1 << 16 | 2 << 18;

	if (ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, u_debugreg[0]), &watched) < 0)
		return -1;
	return (int)ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, u_debugreg[7]), on_write_of_8);
}

/* 0, or an errno: there are no such registers. */
static int watch_parent(pid_t tid)
{
	int status, error = 0;

	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0 || ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 ||
	    waitpid(tid, &status, __WALL) != tid)
		return errno;
	if (set_watch(tid) < 0)
		error = errno;
	if (ptrace(PTRACE_DETACH, tid, NULL, NULL) < 0)
		return errno;
	return error;
}

static void *write_unwatched(void *arg)
{
	wait_for_restore();
	watched = 5;
	return NULL;
}

int main(void)
{
	pthread_t thread;
	int status;
	pid_t child;

	must(prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0) < 0 && errno != EINVAL ? -1 : 0);
	signal(SIGTRAP, on_trap);
	CHECK_EQUAL(pthread_create(&thread, NULL, write_unwatched, NULL), 0);
	child = must(fork());
	if (!child)
		_exit(watch_parent(getppid()));
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status))
		skip("no watchpoints here: %s", strerror(WEXITSTATUS(status)));
	watched = 1;
	CHECK_EQUAL(hits, 1);

	checkpoint_with(1);

	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	CHECK_EQUAL(hits, 1);
	other = 2;
	CHECK_EQUAL(hits, 1);
	watched = 2;
	CHECK_EQUAL(hits, 2);
	return 0;
}
