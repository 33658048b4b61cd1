// SPDX-License-Identifier: GPL-2.0-only
/* The action of every signal: default, ignored, handlers with each flag and mask. */
#include "subject.h"

SUBJECT()

static volatile int got, got_code;

static void handle(int signal)
{
	got = signal;
}

static void handle_info(int signal, siginfo_t *info, void *context)
{
	got = signal;
	got_code = info->si_code;
}

int main(void)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART | SA_NODEFER }, found;
	struct sigaction with_info = { .sa_sigaction = handle_info, .sa_flags = SA_SIGINFO | SA_RESETHAND };

	sigaddset(&action.sa_mask, SIGHUP);
	sigaddset(&action.sa_mask, SIGRTMAX);
	must(sigaction(SIGUSR1, &action, NULL));
	sigaddset(&with_info.sa_mask, SIGALRM);
	must(sigaction(SIGRTMAX, &with_info, NULL));
	signal(SIGHUP, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);

	checkpoint();

	must(sigaction(SIGUSR1, NULL, &found));
	CHECK(found.sa_handler == handle);
	CHECK_EQUAL(found.sa_flags & (SA_RESTART | SA_NODEFER | SA_SIGINFO), SA_RESTART | SA_NODEFER);
	CHECK(sigismember(&found.sa_mask, SIGHUP));
	CHECK(sigismember(&found.sa_mask, SIGRTMAX));
	CHECK(!sigismember(&found.sa_mask, SIGINT));
	for (int signal = 1; signal <= SIGRTMAX; signal++) {
		if (signal == 32 || signal == 33 || signal == SIGUSR1 || signal == SIGRTMAX)
			continue;
		must(sigaction(signal, NULL, &found));
		if (signal == SIGHUP || signal == SIGTTOU)
			CHECK(found.sa_handler == SIG_IGN);
		else
			CHECK(found.sa_handler == SIG_DFL);
	}

	raise(SIGHUP);
	raise(SIGUSR1);
	CHECK_EQUAL(got, SIGUSR1);
	must(sigqueue(getpid(), SIGRTMAX, (union sigval){ .sival_int = 1 }));
	CHECK_EQUAL(got, SIGRTMAX);
	CHECK_EQUAL(got_code, SI_QUEUE);
	must(sigaction(SIGRTMAX, NULL, &found));
	CHECK(found.sa_handler == SIG_DFL);
	return 0;
}
