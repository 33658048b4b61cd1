// SPDX-License-Identifier: GPL-2.0-only
/* Children that nobody has waited for yet, by exit or by a signal, keep whose they were. */
#include "subject.h"

SUBJECT()

static int leave_as_user(void *arg)
{
	must(setresgid(1234, 1234, 1234));
	must(setresuid(4321, 4321, 4321));
	if (arg)
		kill(getpid(), SIGTERM);
	return 5;
}

static void check_user(pid_t pid, int code, int status)
{
	siginfo_t info;

	CHECK_EQUAL(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
	CHECK_EQUAL(info.si_uid, 4321);
	CHECK_EQUAL(info.si_code, code);
	CHECK_EQUAL(info.si_status, status);
}

int main(void)
{
	pid_t exited = start_child(leave_as_user, NULL), killed = start_child(leave_as_user, "");
	siginfo_t info;

	must(waitid(P_PID, (id_t)exited, &info, WEXITED | WNOWAIT));
	must(waitid(P_PID, (id_t)killed, &info, WEXITED | WNOWAIT));

	checkpoint();

	check_user(exited, CLD_EXITED, 5);
	check_user(killed, CLD_KILLED, SIGTERM);
	return 0;
}
