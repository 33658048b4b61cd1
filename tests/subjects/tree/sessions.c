// SPDX-License-Identifier: GPL-2.0-only
/* Sessions and process groups: a child with its own session, one with its own group, and members whose leaders are
 * dead. */
#include "subject.h"

SUBJECT()

static int stay(void *arg)
{
	pid_t session = getsid(0), group = getpgid(0);

	wait_for_restore();
	CHECK_EQUAL(getsid(0), session);
	CHECK_EQUAL(getpgid(0), group);
	return 1;
}

static int stay_in_own_group(void *arg)
{
	must(setpgid(0, 0));
	return stay(NULL);
}

static int lead_session(void *arg)
{
	must(setsid());

	pid_t member = start_child(stay, NULL), other = start_child(stay_in_own_group, NULL);

	wait_for_restore();
	CHECK_EQUAL(getsid(0), getpid());
	CHECK_EQUAL(getsid(member), getpid());
	CHECK_EQUAL(getpgid(other), other);
	join_child(member, 1);
	join_child(other, 1);
	return 2;
}

static int lead_group(void *arg)
{
	must(setpgid(0, 0));
	wait_for_restore();
	CHECK_EQUAL(getpgid(0), getpid());
	return 3;
}

/* Joins the group of the process given and stays in it. */
static int join_group(void *arg)
{
	must(setpgid(0, (pid_t)(long)arg));
	return stay(NULL);
}

static int idle(void *arg)
{
	must(setpgid(0, 0));
	pause();
	return 0;
}

int main(void)
{
	pid_t session = start_child(lead_session, NULL), group = start_child(lead_group, NULL), dead, member;
	int status;

	/* A group whose leader is gone. */
	dead = start_child(idle, NULL);
	while (getpgid(dead) != dead)
		sleep_ms(1);
	member = start_child(join_group, (void *)(long)dead);
	while (getpgid(member) != dead)
		sleep_ms(1);
	must(kill(dead, SIGKILL));
	CHECK_EQUAL(waitpid(dead, &status, 0), dead);

	checkpoint_with(5);

	CHECK_EQUAL(getsid(0), getpid());
	CHECK_EQUAL(getsid(session), session);
	CHECK_EQUAL(getpgid(group), group);
	CHECK_EQUAL(getpgid(member), dead);
	CHECK_EQUAL(getsid(member), getpid());
	join_child(session, 2);
	join_child(group, 3);
	join_child(member, 1);
	return 0;
}
