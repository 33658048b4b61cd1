// SPDX-License-Identifier: GPL-2.0-only
/* An epoll instance tells of unread completions of an io_uring, also of one that a thread alone may use; and of none
 * where there are none. */
#include <sys/epoll.h>

#include "uring.h"

SUBJECT()

static int watch(const struct uring *u)
{
	int fd = must(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = 7 };

	must(epoll_ctl(fd, EPOLL_CTL_ADD, u->fd, &event));
	return fd;
}

static void check(struct uring *u, int fd)
{
	struct epoll_event event;

	CHECK_EQUAL(epoll_wait(fd, &event, 1, 0), 1);
	CHECK_EQUAL(event.data.u32, 7);
	uring_take(u, 2, 5);
	CHECK_EQUAL(epoll_wait(fd, &event, 1, 0), 0);
	uring_nops(u, 1, 9);
	CHECK_EQUAL(epoll_wait(fd, &event, 1, 0), 1);
	uring_take(u, 1, 9);
}

int main(void)
{
	struct uring all, own, none;
	int all_fd, own_fd, none_fd;
	struct epoll_event event;

	uring_make(&all, 8, 0);
	uring_make(&own, 8, IORING_SETUP_SINGLE_ISSUER);
	uring_make(&none, 8, 0);
	uring_nops(&all, 2, 5);
	uring_nops(&own, 2, 5);
	uring_nops(&none, 2, 5);
	uring_take(&none, 2, 5);
	all_fd = watch(&all);
	own_fd = watch(&own);
	none_fd = watch(&none);

	checkpoint();

	check(&all, all_fd);
	check(&own, own_fd);
	CHECK_EQUAL(epoll_wait(none_fd, &event, 1, 0), 0);
	return 0;
}
