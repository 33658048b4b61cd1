// SPDX-License-Identifier: GPL-2.0-only
/* Epoll targets whose number was closed, exchanged or belongs to another task still tell events with their data. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "subject.h"

SUBJECT()

static int ep;

static void add(int fd, uint64_t data)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = data };

	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
}

static void expect(int fd, uint64_t data)
{
	struct epoll_event event;
	uint64_t value;

	must(eventfd_write(fd, 1));
	CHECK_EQUAL(epoll_wait(ep, &event, 1, 0), 1);
	CHECK_EQUAL(event.data.u64, data);
	must(read(fd, &value, sizeof(value)));
	CHECK_EQUAL(epoll_wait(ep, &event, 1, 0), 0);
}

static int kept;

static int work(void *arg)
{
	wait_for_restore();
	expect(kept, 4);
	return 0;
}

int main(void)
{
	ep = must(epoll_create1(0));

	int moved = must(eventfd(0, 0)), exchanged = must(eventfd(0, 0)), other = must(eventfd(0, 0)),
	    gone = must(eventfd(0, 0));

	kept = must(eventfd(0, 0));
	add(moved, 1);
	add(exchanged, 2);
	add(kept, 4);
	add(gone, 5);

	int moved_to = must(fcntl(moved, F_DUPFD, 100)), exchanged_to = must(fcntl(exchanged, F_DUPFD, 101));

	must(close(moved));
	must(dup2(other, exchanged));
	must(close(gone)); /* nobody has it: the kernel forgets it */

	pid_t child = start_child(work, NULL);

	must(close(kept)); /* only the child has it */

	checkpoint_with(1);

	join_child(child, 0); /* one after the other: they wait at the same epoll instance */
	expect(moved_to, 1);
	expect(exchanged_to, 2);
	return 0;
}
