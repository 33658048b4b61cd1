/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A socket in repair mode is of no use to its task: every call fails. While we look at one, a small process watches
 * over us: it shares our descriptors, and if we are killed it takes the socket out of repair mode and is gone. The
 * rules of the network lock live until then, too: their netlink socket is one of the descriptors. And so long the tasks
 * wait (tcp-park.c).
 */
#include "object/socket/inet/tcp-guard.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/guard.h"
#include "object/socket/inet/tcp-park.h"

#ifndef TCP_REPAIR_OFF_NO_WP
#define TCP_REPAIR_OFF_NO_WP -1 /* Linux 4.19 */
#endif

struct tcp_guard {
	int fd; /* in repair mode, else -1 */
	int reuse;
	int us;		/* our pidfd */
	uint32_t ready; /* guard_report() */
	pid_t pid;
	struct list *parked;
};

int tcp_leave_repair(int fd, int reuse)
{
	int quietly = TCP_REPAIR_OFF_NO_WP, off = 0;

	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &quietly, sizeof(quietly)) < 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)) < 0)
		return -errno;
	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse)) < 0 ? -errno : 0;
}

_Noreturn static void watch_over(volatile struct tcp_guard *guard, struct list *parked)
{
	struct pollfd us = { .fd = guard->us, .events = POLLIN };

	guard_stand_apart("tcp-guard");
	guard_report((uint32_t *)&guard->ready);
	while (poll(&us, 1, -1) < 0 && errno == EINTR)
		;
	if (guard->fd >= 0)
		tcp_leave_repair(guard->fd, guard->reuse);
	tcp_wake_parked(parked);
	_exit(0);
}

int tcp_guard_start(struct tcp_guard **place, struct list *parked)
{
	struct tcp_guard *guard = mmap(NULL, sizeof(*guard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	if (guard == MAP_FAILED)
		return fail_errno("cannot map a page for the guard of connections");
	guard->fd = -1;
	guard->us = (int)syscall(SYS_pidfd_open, getpid(), 0);
	/* As fork(2), but with our descriptors, not with copies; exit signal 0: nobody's wait(2) sees it by accident.
	 */
	pid = guard->us < 0 ? -1 : (pid_t)syscall(SYS_clone, CLONE_FILES, NULL, NULL, NULL, NULL);
	if (pid == 0)
		watch_over(guard, parked);
	if (pid < 0) {
		int error = errno;

		munmap(guard, sizeof(*guard));
		return fail(error, "cannot start the guard of connections");
	}
	guard->parked = parked;
	guard->pid = pid; /* only here: the page is shared, in the child it would be 0 */
	TRY(guard_await(&guard->ready, pid));
	tcp_hold_parked(parked);
	*place = guard;
	return 0;
}

void tcp_guard_enter(struct tcp_guard *guard, int fd, bool reuse)
{
	guard->reuse = reuse;
	*(volatile int *)&guard->fd = fd;
}

int tcp_guard_leave(struct tcp_guard *guard)
{
	int result = tcp_leave_repair(guard->fd, guard->reuse);

	*(volatile int *)&guard->fd = -1;
	return result < 0 ? fail(-result, "cannot take a connection out of repair mode") : 0;
}

void tcp_guard_end(struct tcp_guard **place)
{
	struct tcp_guard *guard = TAKE_PTR(*place);

	if (!guard)
		return;
	tcp_wake_parked(guard->parked);
	guard_dismiss(guard->pid);
	close(guard->us);
	munmap(guard, sizeof(*guard));
}
