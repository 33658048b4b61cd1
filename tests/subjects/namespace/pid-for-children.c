// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process has its next children in another pid namespace than its own: one that has a first process, which is not its
 * child; one whose first process is dead, so that it can have no more; and, with a warning, one that is yet to begin.
 */
#include <sched.h>

#include "subject.h"

SUBJECT(.not_ways = "told")

static int seen[2];

static int first(void *arg)
{
	char c;

	wait_for_restore();
	CHECK_EQUAL(getpid(), 1);
	/* The visitor ends before the namespace does. */
	must(read(seen[0], &c, 1));
	return 4;
}

static int visitor(void *arg)
{
	return getpid() > 1 && getppid() == 0 ? 5 : 1;
}

/* Comes before the first process in the tree. */
static int visit(void *arg)
{
	char path[64];
	pid_t pid;

	must(read(*(int *)arg, &pid, sizeof(pid)));
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	must(setns(must(open(path, O_RDONLY | O_CLOEXEC)), CLONE_NEWPID));
	wait_for_restore();
	pid = start_child(visitor, NULL);
	join_child(pid, 5);
	must(write(seen[1], "x", 1));
	return 0;
}

static int end_at_once(void *arg)
{
	return 7;
}

static int mourn(void *arg)
{
	pid_t pid;

	must(unshare(CLONE_NEWPID));
	pid = start_child(end_at_once, NULL);
	must(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT));
	wait_for_restore();
	CHECK(fork() == -1);
	CHECK_EQUAL(errno, ENOMEM);
	join_child(pid, 7);
	return 0;
}

static int say_number(void *arg)
{
	return getpid();
}

static int expect(void *arg)
{
	must(unshare(CLONE_NEWPID));
	wait_for_restore();
	join_child(start_child(say_number, NULL), 1);
	return 0;
}

int main(void)
{
	int own = must(open("/proc/self/ns/pid", O_RDONLY)), tell[2];
	pid_t children[4];

	must(pipe(tell));
	must(pipe(seen));
	children[0] = start_child(visit, &tell[0]);
	must(unshare(CLONE_NEWPID));
	children[1] = start_child(first, NULL);
	must(setns(own, CLONE_NEWPID));
	close(own);
	must(write(tell[1], &children[1], sizeof(children[1])));
	children[2] = start_child(mourn, NULL);
	children[3] = start_child(expect, NULL);

	checkpoint_with(4);

	join_child(children[0], 0);
	join_child(children[1], 4);
	join_child(children[2], 0);
	join_child(children[3], 0);
	return 0;
}
