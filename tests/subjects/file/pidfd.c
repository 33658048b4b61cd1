// SPDX-License-Identifier: GPL-2.0-only
/* Pidfds of a child, of the process itself and of dead processes. */
#include <poll.h>

#include "subject.h"

SUBJECT()

static int work(void *arg)
{
	wait_for_restore();
	sleep_ms(20);
	return 7;
}

static int open_pidfd(pid_t pid)
{
	return must(syscall(SYS_pidfd_open, pid, 0));
}

static int quit(void *arg)
{
	return 3;
}

static bool is_dead(int fd)
{
	struct pollfd ask = { .fd = fd, .events = POLLIN };

	return must(poll(&ask, 1, 0)) == 1;
}

int main(void)
{
	pid_t child = start_child(work, NULL), brief = start_child(quit, NULL), zombie = start_child(quit, NULL);
	int living = open_pidfd(child), self = open_pidfd(getpid()), dead = open_pidfd(brief),
	    unreaped = open_pidfd(zombie);
	siginfo_t info;

	must(waitpid(brief, NULL, 0));
	must(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT));
	CHECK(is_dead(dead));

	checkpoint_with(1);

	CHECK(is_dead(dead));
	CHECK(is_dead(unreaped));
	CHECK(!is_dead(self));
	CHECK_EQUAL(syscall(SYS_pidfd_send_signal, dead, 0, NULL, 0), -1);
	CHECK_EQUAL(errno, ESRCH);
	CHECK_EQUAL(syscall(SYS_pidfd_send_signal, living, 0, NULL, 0), 0);
	CHECK_EQUAL(syscall(SYS_pidfd_send_signal, self, 0, NULL, 0), 0);
	must(waitid(P_PIDFD, (id_t)living, &info, WEXITED));
	CHECK_EQUAL(info.si_pid, child);
	CHECK_EQUAL(info.si_status, 7);
	join_child(zombie, 3);
	return 0;
}
