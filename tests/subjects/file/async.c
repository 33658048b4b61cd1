// SPDX-License-Identifier: GPL-2.0-only
/* The owner and the signal of async files: a process, a group, the user who set it. */
#include "subject.h"

SUBJECT()

static volatile sig_atomic_t got;

static void handler(int number, siginfo_t *info, void *context)
{
	got = number;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	int pipes[2], other[2];
	struct f_owner_ex who = { F_OWNER_PGRP, getpgrp() };
	char c;

	must(sigaction(SIGRTMIN + 3, &action, NULL));
	must(pipe(pipes));
	must(fcntl(pipes[0], F_SETOWN, getpid()));
	must(fcntl(pipes[0], F_SETSIG, SIGRTMIN + 3));
	must(fcntl(pipes[0], F_SETFL, O_ASYNC | O_NONBLOCK));
	must(pipe(other));
	must(fcntl(other[0], F_SETOWN_EX, &who));

	checkpoint();

	CHECK_EQUAL(fcntl(pipes[0], F_GETOWN), getpid());
	CHECK_EQUAL(fcntl(pipes[0], F_GETSIG), SIGRTMIN + 3);
	CHECK(fcntl(pipes[0], F_GETFL) & O_ASYNC);
	must(fcntl(other[0], F_GETOWN_EX, &who));
	CHECK(who.type == F_OWNER_PGRP && who.pid == getpgrp());
	must(write(pipes[1], "x", 1));
	for (int i = 0; i < 60000 && !got; i++)
		sleep_ms(1);
	CHECK_EQUAL(got, SIGRTMIN + 3);
	CHECK_EQUAL(read(pipes[0], &c, 1), 1);
	return 0;
}
