/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/tty opens the controlling terminal of whoever opens it. Files that were opened so are made by a helper that
 * takes the terminal for a moment, before the session that it belongs to exists. The helper has our descriptor table:
 * what it opens is ours.
 */
#include "object/file/tty/current.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/pool.h"

#define STACK_SIZE 65536

struct helper {
	int slave;
	uint32_t flags;
	int fd, error;
	const char *failed;
};

static int give_up(struct helper *helper, const char *what)
{
	helper->error = errno;
	helper->failed = what;
	return 1;
}

/* Runs in memory shared with the coordinator, which waits. Plain system calls only. */
static int run_helper(void *arg)
{
	struct helper *helper = arg;
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGHUP, &ignore, NULL); /* comes when the terminal is given up */
	if (setsid() < 0)
		return give_up(helper, "leading a session");
	if (ioctl(helper->slave, TIOCSCTTY, 0) < 0)
		return give_up(helper, "taking the terminal");
	helper->fd = open("/dev/tty", (int)(helper->flags & (O_ACCMODE | O_NONBLOCK)) | O_CLOEXEC);
	if (helper->fd < 0)
		return give_up(helper, "opening /dev/tty");
	/* A leader that ends with its terminal would hang it up (tty_vhangup_session). */
	if (ioctl(helper->slave, TIOCNOTTY) < 0)
		return give_up(helper, "giving up the terminal");
	return 0;
}

int tty_open_current(int slave, uint32_t flags, int *ret_fd)
{
	struct helper helper = { .slave = slave, .flags = flags, .fd = -1 };
	char *stack = xmalloc(STACK_SIZE);
	pid_t pid = clone(run_helper, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &helper);
	int error = errno;

	free(stack);
	if (pid < 0)
		return fail(error, "making a helper for /dev/tty");
	if (waitpid(pid, NULL, 0) < 0)
		return fail_errno("waiting for the helper for /dev/tty");
	if (helper.failed)
		return fail(helper.error, "helper for /dev/tty: %s", helper.failed);
	*ret_fd = helper.fd;
	return 0;
}
