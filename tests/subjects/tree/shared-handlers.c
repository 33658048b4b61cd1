// SPDX-License-Identifier: GPL-2.0-only
/* Processes that share memory and signal handlers (CLONE_VM | CLONE_SIGHAND), or memory and descriptors, still do. */
#include "subject.h"

#include <sched.h>

SUBJECT()

struct kernel_sigaction {
	uint64_t handler, flags, restorer, mask;
};

static volatile int started, go;
static volatile uint64_t handler_seen;
static volatile long flags_seen;
static int fd;

static void handle(int signal)
{
}

static void pause_until(volatile int *what)
{
	while (!*what)
		syscall(SYS_nanosleep, &(struct timespec){ 0, 1000000 }, NULL);
}

/* These two share the thread-local memory of the parent: plain system calls only. */
static int shares_handlers(void *arg)
{
	struct kernel_sigaction action;

	__atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
	pause_until(&go);
	syscall(SYS_rt_sigaction, SIGUSR2, NULL, &action, 8);
	handler_seen = action.handler;
	syscall(SYS_exit_group, 6);
	return 0;
}

static int shares_files(void *arg)
{
	__atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
	pause_until(&go);
	flags_seen = syscall(SYS_fcntl, fd, F_GETFD);
	syscall(SYS_exit_group, 7);
	return 0;
}

int main(void)
{
	static char stacks[2][65536] __attribute__((aligned(16)));
	pid_t handlers, files;

	handlers =
		must(clone(shares_handlers, stacks[0] + sizeof(stacks[0]), CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL));
	files = must(clone(shares_files, stacks[1] + sizeof(stacks[1]), CLONE_VM | CLONE_FILES | SIGCHLD, NULL));
	while (started < 2)
		sleep_ms(1);

	checkpoint();

	signal(SIGUSR2, handle);
	fd = must(open("/dev/null", O_RDONLY | O_CLOEXEC));
	handler_seen = 1;
	flags_seen = -5;
	go = 1;
	join_child(handlers, 6);
	join_child(files, 7);
	CHECK_EQUAL(handler_seen, (uintptr_t)handle);
	CHECK_EQUAL(flags_seen, FD_CLOEXEC);
	return 0;
}
