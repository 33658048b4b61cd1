// SPDX-License-Identifier: GPL-2.0-only
/* A signalfd keeps its mask and reads a signal that was pending. */
#include <sys/signalfd.h>

#include "subject.h"

SUBJECT()

int main(void)
{
	struct signalfd_siginfo info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMAX);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	sigdelset(&set, SIGUSR1);

	int fd = must(signalfd(-1, &set, SFD_NONBLOCK));

	must(raise(SIGUSR1));
	must(sigqueue(getpid(), SIGRTMAX, (union sigval){ .sival_int = 77 }));

	checkpoint();

	CHECK_EQUAL(read(fd, &info, sizeof(info)), sizeof(info));
	CHECK_EQUAL(info.ssi_signo, SIGRTMAX);
	CHECK_EQUAL(info.ssi_int, 77);
	CHECK_EQUAL(read(fd, &info, sizeof(info)), -1);
	CHECK_EQUAL(errno, EAGAIN);
	return 0;
}
