// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions whose members are far from their leader, as daemons make them: orphans that went to the first process while
 * the leader is a child of another, has become a subreaper, is a zombie, or is gone; and supervisors that have left a
 * session after they forked, and were orphaned. Each keeps its parent, session and group.
 */
#include <sys/prctl.h>

#include "subject.h"

SUBJECT()

struct place {
	pid_t pid, parent, session, group;
};

static struct counts {
	volatile int n, seen, total;
} * all;

static struct place here(void)
{
	return (struct place){ getpid(), getppid(), getsid(0), getpgrp() };
}

static void await_orphaned(pid_t parent)
{
	while (getppid() == parent)
		sleep_ms(1);
}

static _Noreturn void stay(void)
{
	struct place before = here(), after;

	__sync_fetch_and_add(&all->n, 1);
	wait_for_restore();
	after = here();
	/* Who ends makes orphans. */
	__sync_fetch_and_add(&all->seen, 1);
	while (all->seen < all->total)
		sleep_ms(1);
	CHECK_EQUAL(after.pid, before.pid);
	CHECK_EQUAL(after.parent, before.parent);
	CHECK_EQUAL(after.session, before.session);
	CHECK_EQUAL(after.group, before.group);
	_exit(0);
}

static void fork_orphan(void (*work)(void))
{
	pid_t parent, pid = must(fork());

	if (pid == 0) {
		parent = getpid();
		if (must(fork()))
			_exit(0);
		await_orphaned(parent);
		if (work)
			work();
		stay();
	}
	must(waitpid(pid, NULL, 0));
}

/* With a child in the session that it was born into. */
static void leave_session(void)
{
	if (must(fork()) == 0) {
		must(setpgid(0, 0));
		stay();
	}
	must(setsid());
	stay();
}

static void leave_session_twice(void)
{
	if (must(fork()) == 0)
		leave_session();
	must(setsid());
	stay();
}

static void lead(char kind)
{
	must(setsid());
	fork_orphan(NULL);
	fork_orphan(leave_session);
	if (kind == 't')
		fork_orphan(leave_session_twice);
	if (kind == 'g') {
		fork_orphan(leave_session);
		fork_orphan(NULL);
	}
	if (kind == 'z' || kind == 'g')
		_exit(0);
	if (kind == 's')
		must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	stay();
}

/* The leader's parent: in the first session. */
static void manage(char kind)
{
	siginfo_t info;
	pid_t pid = must(fork());

	if (pid == 0)
		lead(kind);
	if (kind == 'z' || kind == 'g')
		must(waitid(P_PID, (id_t)pid, &info, WEXITED | (kind == 'z' ? WNOWAIT : 0)));
	stay();
}

int main(void)
{
	const struct {
		char kind;
		int members;
	} kinds[] = { { 'o', 5 }, { 's', 5 }, { 'z', 4 }, { 'g', 7 }, { 't', 8 } };
	int total = 0;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(all != MAP_FAILED);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		total += kinds[i].members;
		if (must(fork()) == 0)
			manage(kinds[i].kind);
	}

	all->total = total;

	checkpoint_with(total);

	CHECK_EQUAL(all->n, total);
	for (int status; waitpid(-1, &status, 0) > 0;)
		CHECK_EQUAL(status, 0);
	return 0;
}
