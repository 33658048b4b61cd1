/* SPDX-License-Identifier: GPL-2.0-only */
/* Sees to it that no task goes on with zeros in place of its memory, whatever becomes of the lazy-pages daemon. */
#include "pages/lazy/lazy-guard.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "kern/pidfd.h"
#include "pages/lazy/lazy-fetch.h"

#define STACK_SIZE (64u << 10)

void lazy_end_tasks(const struct list *sources)
{
	struct lazy_source *source;
	struct lazy_space *space;

	list_for_each(source, sources, link) {
		list_for_each(space, &source->spaces, link) {
			if (space->uffd < 0 || !space->wanted.n)
				continue;
			if (space->pidfd >= 0)
				(void)pidfd_signal(space->pidfd, SIGKILL);
			lazy_space_poison(space);
		}
	}
}

/*
 * Shares memory and descriptors with the daemon: as long as we are there no userfaultfd is closed, and who waits for a
 * page waits on. No thread of the daemon is left when we look at its lists, so there is nobody to lock out. Nothing is
 * called here that needs a thread of libc.
 */
static int guard_tasks(void *arg)
{
	struct lazy *lazy = arg;
	struct pollfd poll_daemon = { .fd = lazy->guard.daemon, .events = POLLIN };

	while (syscall(SYS_ppoll, &poll_daemon, 1, NULL, NULL, 0) < 0)
		;
	lazy_end_tasks(&lazy->sources);
	syscall(SYS_exit, 0);
	return 0;
}

int lazy_guard_begin(struct lazy *lazy)
{
	sigset_t all, old;
	int error = 0;

	lazy->guard.daemon = pidfd_of_process(getpid());
	if (lazy->guard.daemon < 0)
		return fail(-lazy->guard.daemon, "making a descriptor of this process");
	lazy->guard.stack =
		mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (lazy->guard.stack == MAP_FAILED)
		return fail_errno("no memory for a process");
	/* What is meant for the daemon must not end both. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	lazy->guard.pid =
		clone(guard_tasks, (char *)lazy->guard.stack + STACK_SIZE, CLONE_VM | CLONE_FILES | SIGCHLD, lazy);
	if (lazy->guard.pid < 0)
		error = fail_errno("making a process that guards the tasks");
	sigprocmask(SIG_SETMASK, &old, NULL);
	return error;
}

void lazy_guard_end(struct lazy *lazy)
{
	if (lazy->guard.pid > 0) {
		kill(lazy->guard.pid, SIGKILL);
		while (waitpid(lazy->guard.pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (lazy->guard.daemon >= 0)
		close(lazy->guard.daemon);
	if (lazy->guard.stack && lazy->guard.stack != MAP_FAILED)
		munmap(lazy->guard.stack, STACK_SIZE);
}
