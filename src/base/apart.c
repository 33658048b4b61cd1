/* SPDX-License-Identifier: LGPL-2.1-only */
/* Work that a SIGKILL of this program must not cut in two. */
#include "base/apart.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"

#define STACK_SIZE (512 * 1024)

struct apart_job {
	int (*work)(void *arg);
	void *arg;
	int result;
};

/* Not of our session: a key of the terminal is for us. */
static int run_apart(void *arg)
{
	struct apart_job *job = arg;

	(void)setsid();
	job->result = job->work(job->arg);
	return 0;
}

int apart_spawn(int (*function)(void *arg), void *arg)
{
	sigset_t all, old;
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int status = 0, error = 0;
	pid_t pid;

	if (stack == MAP_FAILED)
		return fail_errno("a stack of %d bytes", STACK_SIZE);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = clone(function, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, arg);
	if (pid < 0)
		error = fail_errno("making a process");
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	sigprocmask(SIG_SETMASK, &old, NULL);
	munmap(stack, STACK_SIZE);
	if (pid > 0 && WIFSIGNALED(status))
		return fail(EIO, "a process of ours was killed by signal %d", WTERMSIG(status));
	return error;
}

int apart_run(int (*work)(void *arg), void *arg)
{
	struct apart_job job = { work, arg, -EIO };

	TRY(apart_spawn(run_apart, &job));
	return job.result;
}
