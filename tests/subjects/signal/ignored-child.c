// SPDX-License-Identifier: GPL-2.0-only
/* A process that began to ignore SIGCHLD after a child had died still has the zombie; later children leave none. */
#include "subject.h"

SUBJECT()

static int dies(void *arg)
{
	return 9;
}

int main(void)
{
	pid_t early = start_child(dies, NULL), later;
	siginfo_t info;

	must(waitid(P_PID, (id_t)early, &info, WEXITED | WNOWAIT));
	signal(SIGCHLD, SIG_IGN);

	checkpoint();

	join_child(early, 9);
	later = start_child(dies, NULL);
	CHECK(waitpid(later, NULL, 0) == -1 && errno == ECHILD);
	return 0;
}
