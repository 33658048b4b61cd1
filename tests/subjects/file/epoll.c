// SPDX-License-Identifier: GPL-2.0-only
/* Epoll files keep their targets, masks and data; one may watch another. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "subject.h"

SUBJECT()

static void add(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
}

int main(void)
{
	struct epoll_event events[8];
	int pipes[2];

	must(pipe(pipes));

	int inner = must(epoll_create1(EPOLL_CLOEXEC)), outer = must(epoll_create1(0)), event = must(eventfd(0, 0));

	add(inner, pipes[0], EPOLLIN | EPOLLET, 0x1122334455667788);
	add(inner, event, EPOLLIN | EPOLLONESHOT, 2);
	add(outer, inner, EPOLLIN, 3);

	checkpoint();

	CHECK_EQUAL(epoll_wait(outer, events, 8, 0), 0);
	must(write(pipes[1], "x", 1));
	CHECK_EQUAL(epoll_wait(outer, events, 8, 0), 1);
	CHECK_EQUAL(events[0].data.u64, 3);
	CHECK_EQUAL(epoll_wait(inner, events, 8, 0), 1);
	CHECK(events[0].data.u64 == 0x1122334455667788 && events[0].events == EPOLLIN);
	CHECK_EQUAL(epoll_wait(inner, events, 8, 0), 0); /* edge-triggered */
	must(eventfd_write(event, 1));
	CHECK_EQUAL(epoll_wait(inner, events, 8, 0), 1);
	CHECK_EQUAL(events[0].data.u64, 2);
	must(eventfd_write(event, 1));
	CHECK_EQUAL(epoll_wait(inner, events, 8, 0), 0); /* one shot */
	CHECK_EQUAL(epoll_ctl(inner, EPOLL_CTL_DEL, pipes[0], NULL), 0);
	return 0;
}
