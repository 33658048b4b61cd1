// SPDX-License-Identifier: GPL-2.0-only
/* The signal mask, also in a handler that is running while the checkpoint is made, and on an alternate stack. */
#include "subject.h"

SUBJECT()

static volatile sig_atomic_t handled;

static void on_usr1(int signal)
{
	sigset_t mask;
	stack_t stack;

	checkpoint();

	/* Here: those of the handler. */
	must(sigprocmask(SIG_SETMASK, NULL, &mask));
	CHECK(sigismember(&mask, SIGUSR1));
	CHECK(sigismember(&mask, SIGUSR2));
	CHECK(sigismember(&mask, SIGRTMIN + 3));
	CHECK(!sigismember(&mask, SIGHUP));
	must(sigaltstack(NULL, &stack));
	CHECK(stack.ss_flags & SS_ONSTACK);
	handled++;
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_usr1, .sa_flags = SA_ONSTACK };
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 }, found;
	sigset_t mask, before;

	must(sigaltstack(&stack, NULL));
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR2);
	must(sigaction(SIGUSR1, &action, NULL));
	sigemptyset(&mask);
	sigaddset(&mask, SIGRTMIN + 3);
	sigaddset(&mask, SIGCHLD);
	must(sigprocmask(SIG_SETMASK, &mask, NULL));

	raise(SIGUSR1);

	CHECK_EQUAL(handled, 1);
	must(sigprocmask(SIG_SETMASK, NULL, &before));
	CHECK(sigismember(&before, SIGRTMIN + 3));
	CHECK(sigismember(&before, SIGCHLD));
	CHECK(!sigismember(&before, SIGUSR2));
	must(sigaltstack(NULL, &found));
	CHECK(found.ss_sp == stack.ss_sp);
	CHECK_EQUAL(found.ss_size, stack.ss_size);
	CHECK_EQUAL(found.ss_flags, 0);
	return 0;
}
