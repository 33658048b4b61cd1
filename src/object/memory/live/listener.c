/* SPDX-License-Identifier: GPL-2.0-only */
/* Listening to userfaultfds. */
#include "object/memory/live/listener.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/pool.h"
#include "base/vector.h"

struct event_listener {
	pthread_t thread;
	int end; /* eventfd; -1: it does not run */
	VECTOR(struct pollfd) polls;
	VECTOR(_Atomic bool *) told;
};

struct event_listener *listener_create(void)
{
	struct event_listener *listener = xzalloc(sizeof(*listener));

	listener->end = -1;
	return listener;
}

void listener_add(struct event_listener *listener, int uffd, _Atomic bool *told)
{
	*vector_push(&listener->polls) = (struct pollfd){ .fd = uffd, .events = POLLIN };
	*vector_push(&listener->told) = told;
}

static void *listen_to_all(void *arg)
{
	struct event_listener *listener = arg;
	struct pollfd *polls = listener->polls.items;
	const size_t n = listener->told.n; /* behind them comes the end */
	struct uffd_msg message;

	while (!polls[n].revents) {
		(void)poll(polls, n + 1, -1);
		for (size_t i = 0; i < n; i++) {
			if (!polls[i].revents)
				continue;
			*listener->told.items[i] = true; /* first: it may go on at once */
			if (!(polls[i].revents & POLLIN) || read(polls[i].fd, &message, sizeof(message)) == 0)
				polls[i].fd = -1;
		}
	}
	return NULL;
}

int listener_start(struct event_listener *listener)
{
	sigset_t all, before;
	int error;

	listener->end = eventfd(0, EFD_CLOEXEC);
	if (listener->end < 0)
		return -errno;
	*vector_push(&listener->polls) = (struct pollfd){ .fd = listener->end, .events = POLLIN };
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	error = pthread_create(&listener->thread, NULL, listen_to_all, listener);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		close(TAKE_FD(listener->end));
	return -error;
}

void listener_stop(struct event_listener *listener)
{
	const uint64_t one = 1;

	if (listener->end < 0)
		return;
	(void)!write(listener->end, &one, sizeof(one));
	pthread_join(listener->thread, NULL);
	close(TAKE_FD(listener->end));
}

void listener_destroy(struct event_listener **ref)
{
	struct event_listener *listener = TAKE_PTR(*ref);

	if (!listener)
		return;
	listener_stop(listener);
	vector_done(&listener->polls);
	vector_done(&listener->told);
	free(listener);
}
