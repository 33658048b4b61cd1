/* SPDX-License-Identifier: LGPL-2.1-only */
/* Process descriptors. */
#include "kern/pidfd.h"

#include <errno.h>
#include <poll.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kern/syscalls.h"

static int call_result(long value)
{
	return value < 0 ? -errno : (int)value;
}

int pidfd_of_process(pid_t pid)
{
	return call_result(syscall(SYS_pidfd_open, pid, 0));
}

int pidfd_of_thread(pid_t tid)
{
	return call_result(syscall(SYS_pidfd_open, tid, PIDFD_THREAD));
}

int pidfd_take_fd(int pidfd, int fd)
{
	return call_result(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
}

int pidfd_signal(int pidfd, int signal)
{
	return call_result(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}

int pidfd_wait_exit(int pidfd, int timeout_ms)
{
	struct pollfd wait = { .fd = pidfd, .events = POLLIN };
	int n;

	do {
		n = poll(&wait, 1, timeout_ms);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

int pidfd_release_memory(int pidfd)
{
	return call_result(syscall(SYS_process_mrelease, pidfd, 0));
}
