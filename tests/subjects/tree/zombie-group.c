// SPDX-License-Identifier: GPL-2.0-only
/* The rest of a pipeline: a zombie in a process group whose leader has been waited for already; also in a session of
 * its own. */
#include "subject.h"

SUBJECT()

static int leave(void *arg)
{
	must(setpgid(0, (pid_t)(long)arg));
	return 42;
}

static int idle(void *arg)
{
	must(setpgid(0, 0));
	pause();
	return 0;
}

static pid_t make(pid_t *ret_group)
{
	pid_t leader = start_child(idle, NULL), last;
	siginfo_t info;
	int status;

	while (getpgid(leader) != leader)
		sleep_ms(1);
	last = start_child(leave, (void *)(long)leader);
	must(waitid(P_PID, (id_t)last, &info, WEXITED | WNOWAIT));
	must(kill(leader, SIGKILL));
	CHECK_EQUAL(waitpid(leader, &status, 0), leader);
	CHECK_EQUAL(getpgid(last), leader);
	*ret_group = leader;
	return last;
}

static void check(pid_t zombie, pid_t group)
{
	int status;

	CHECK_EQUAL(getpgid(zombie), group);
	CHECK_EQUAL(waitpid(-group, &status, 0), zombie);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

static int lead_session(void *arg)
{
	pid_t group, zombie;

	must(setsid());
	zombie = make(&group);
	wait_for_restore();
	check(zombie, group);
	CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
	return 3;
}

int main(void)
{
	pid_t group, zombie = make(&group), session = start_child(lead_session, NULL);

	checkpoint_with(1);

	check(zombie, group);
	join_child(session, 3);
	CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
	return 0;
}
