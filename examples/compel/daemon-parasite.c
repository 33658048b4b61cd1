/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs inside of the other process: as a daemon that remembers something, and in each of its threads. */
#include <compel/plugins/std.h>
#include <signal.h>

#include "daemon.h"

static long sum; /* a parasite may have variables: they live until it goes */

static int describe(struct daemon_args *args)
{
	args->pid = (int)sys_getpid();
	args->sid = (int)sys_getsid();
	args->umask = (int)sys_umask(0);
	sys_umask(args->umask);
	print_on_level(COMPEL_LOG_INFO, "this is process %d\n", args->pid);
	return (int)sys_getresuid(&args->uid, &args->euid, &args->suid);
}

int parasite_daemon_cmd(int cmd, void *p)
{
	struct daemon_args *args = p;

	switch (cmd) {
	case CMD_DESCRIBE:
		return describe(args);
	case CMD_ADD:
		sum += args->operand;
		args->sum = sum;
		return 0;
	}
	return -1;
}

int parasite_trap_cmd(int cmd, void *p)
{
	struct daemon_args *args = p;
	stack_t stack = { 0 };

	if (cmd != CMD_THREAD)
		return -1;
	args->tid = (int)sys_gettid();
	if (sys_sigaltstack(0, &stack) < 0)
		return -1;
	args->stack = stack.ss_flags & SS_DISABLE ? 0 : (unsigned long)stack.ss_sp;
	return 0;
}

void parasite_cleanup(void)
{
	print_on_level(COMPEL_LOG_INFO, "the sum was %ld\n", sum);
}
