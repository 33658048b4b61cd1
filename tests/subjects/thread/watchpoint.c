// SPDX-License-Identifier: GPL-2.0-only
/* A thread that watches a word by registers of the CPU, set by a child that is gone, beside one that does not. */
#include "subject.h"

#include <elf.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <ucontext.h>
#ifdef __aarch64__
#include <asm/ptrace.h>
#endif

SUBJECT()

static volatile long watched, other;
static volatile sig_atomic_t hits;

#ifdef __aarch64__
/* Stops in front of the write, and would for ever. */
static void step_over(ucontext_t *context)
{
	context->uc_mcontext.pc += 4;
}

static int set_watch(pid_t tid)
{
	struct user_hwdebug_state state = { .dbg_regs = { { (unsigned long)&watched, 0 } } };
	struct iovec iov = { &state, offsetof(struct user_hwdebug_state, dbg_regs[1]) };

	/* On, of a program, on writes, of eight bytes. */
	state.dbg_regs[0].ctrl = 1 | 2 << 1 | 2 << 3 | 0xff << 5;
	return (int)ptrace(PTRACE_SETREGSET, tid, NT_ARM_HW_WATCH, &iov);
}
#else
static void step_over(ucontext_t *context)
{
}

static int set_watch(pid_t tid)
{
	const unsigned long on_write_of_8 = 1 | 1 << 16 | 2 << 18;

	if (ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, u_debugreg[0]), &watched) < 0)
		return -1;
	return (int)ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, u_debugreg[7]), on_write_of_8);
}
#endif

static void on_trap(int signal, siginfo_t *info, void *context)
{
	hits++;
	step_over(context);
}

/* 0, or an errno: there are no such registers. */
static int watch_parent(pid_t tid)
{
	int status, error = 0;

	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0 || ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 ||
	    waitpid(tid, &status, __WALL) != tid)
		return errno;
	if (set_watch(tid) < 0)
		error = errno;
	if (ptrace(PTRACE_DETACH, tid, NULL, NULL) < 0)
		return errno;
	return error;
}

static void *write_unwatched(void *arg)
{
	wait_for_restore();
	watched = 5;
	return NULL;
}

int main(void)
{
	const struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	pthread_t thread;
	int status;
	pid_t child;

	must(prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0) < 0 && errno != EINVAL ? -1 : 0);
	must(sigaction(SIGTRAP, &action, NULL));
	CHECK_EQUAL(pthread_create(&thread, NULL, write_unwatched, NULL), 0);
	child = must(fork());
	if (!child)
		_exit(watch_parent(getppid()));
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status))
		skip("no watchpoints here: %s", strerror(WEXITSTATUS(status)));
	watched = 1;
	CHECK_EQUAL(hits, 1);

	checkpoint_with(1);

	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	CHECK_EQUAL(hits, 1);
	other = 2;
	CHECK_EQUAL(hits, 1);
	watched = 2;
	CHECK_EQUAL(hits, 2);
	return 0;
}
