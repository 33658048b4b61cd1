// SPDX-License-Identifier: GPL-2.0-only
/* Epoll: three deep, a one-shot that has fired, a target open only in a child or only as a duplicate, an epoll file
 * that only a child has. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

static int mine, childs_event, childs_epoll;

static void add(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
}

static int work(void *arg)
{
	struct epoll_event event;

	must(close(mine));
	childs_epoll = must(epoll_create1(0));
	add(childs_epoll, childs_event, EPOLLIN, 77);
	wait_for_restore();
	CHECK_EQUAL(epoll_wait(childs_epoll, &event, 1, 0), 0);
	must(eventfd_write(childs_event, 1));
	CHECK_EQUAL(epoll_wait(childs_epoll, &event, 1, 0), 1);
	CHECK_EQUAL(event.data.u64, 77);
	return 0;
}

int main(void)
{
	struct epoll_event events[8];
	int pair[2];

	mine = must(epoll_create1(0));
	childs_event = must(eventfd(0, EFD_NONBLOCK));

	int a = must(epoll_create1(0)), b = must(epoll_create1(EPOLL_CLOEXEC)), c = must(epoll_create1(0));
	int once = must(eventfd(1, 0)), level = must(eventfd(0, 0)), moved, only = must(epoll_create1(0));

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	add(a, b, EPOLLIN, 1);
	add(b, c, EPOLLIN, 2);
	add(c, level, EPOLLIN, 3);
	add(mine, once, EPOLLIN | EPOLLONESHOT, 4);
	CHECK_EQUAL(epoll_wait(mine, events, 8, 0), 1);
	add(mine, pair[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 5);
	moved = must(dup(level));
	add(only, moved, EPOLLIN, 6);
	must(dup2(once, moved)); /* the number is another file by now, and the file has other numbers */
	add(only, childs_event, EPOLLIN | EPOLLEXCLUSIVE, 7);

	pid_t child = start_child(work, NULL);

	must(close(childs_event)); /* open in the child only now; the target ends with the child */

	checkpoint_with(1);

	CHECK_EQUAL(epoll_wait(a, events, 8, 0), 0);
	CHECK_EQUAL(epoll_wait(mine, events, 8, 0), 0);
	must(eventfd_write(level, 1));
	CHECK_EQUAL(epoll_wait(a, events, 8, 0), 1);
	CHECK_EQUAL(events[0].data.u64, 1);
	CHECK_EQUAL(epoll_wait(c, events, 8, 0), 1);
	CHECK_EQUAL(events[0].data.u64, 3);
	join_child(child, 0);
	CHECK_EQUAL(epoll_wait(only, events, 8, 0), 1);
	CHECK_EQUAL(events[0].data.u64, 6);
	struct epoll_event again = { .events = EPOLLIN | EPOLLONESHOT, .data.u64 = 8 };
	must(epoll_ctl(mine, EPOLL_CTL_MOD, once, &again));
	CHECK_EQUAL(epoll_wait(mine, events, 8, 0), 1);
	CHECK_EQUAL(events[0].data.u64, 8);
	must(write(pair[1], "x", 1));
	CHECK_EQUAL(epoll_wait(mine, events, 8, 0), 1);
	CHECK_EQUAL(events[0].data.u64, 5);
	CHECK_EQUAL(events[0].events, EPOLLIN);
	must(shutdown(pair[1], SHUT_WR));
	CHECK_EQUAL(epoll_wait(mine, events, 8, 0), 1);
	CHECK(events[0].events & EPOLLRDHUP);
	return 0;
}
