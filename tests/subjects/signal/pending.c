// SPDX-License-Identifier: GPL-2.0-only
/* Signals that wait, for the process and for one thread, arrive with their siginfo and in their order. */
#include "subject.h"

SUBJECT()

int main(void)
{
	sigset_t set, pending;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGRTMIN + 1);
	must(sigprocmask(SIG_BLOCK, &set, NULL));

	must(kill(getpid(), SIGUSR1));
	for (int i = 0; i < 5; i++)
		must(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 100 + i }));
	must(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR2));

	checkpoint();

	must(sigpending(&pending));
	CHECK(sigismember(&pending, SIGUSR1));
	CHECK(sigismember(&pending, SIGUSR2));
	CHECK(sigismember(&pending, SIGRTMIN + 1));
	CHECK(!sigismember(&pending, SIGHUP));

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	for (int i = 0; i < 5; i++) {
		CHECK_EQUAL(sigwaitinfo(&set, &info), SIGRTMIN + 1);
		CHECK_EQUAL(info.si_code, SI_QUEUE);
		CHECK_EQUAL(info.si_pid, getpid());
		CHECK_EQUAL(info.si_value.sival_int, 100 + i);
	}
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQUAL(sigwaitinfo(&set, &info), SIGUSR1);
	CHECK_EQUAL(info.si_code, SI_USER);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	/* Not sigwaitinfo(3): glibc hides SI_TKILL. */
	CHECK_EQUAL(syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8), SIGUSR2);
	CHECK_EQUAL(info.si_code, SI_TKILL);
	must(sigpending(&pending));
	CHECK(sigisemptyset(&pending));
	return 0;
}
