/* SPDX-License-Identifier: GPL-2.0-only */
/* The lazy-pages daemon: its main thread hears of faults and of what tasks do with their memory, and of the end. */
#include "pages/lazy/lazy.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "base/io.h"
#include "base/log.h"
#include "pages/lazy/lazy-fetch.h"
#include "pages/lazy/lazy-guard.h"
#include "base/urgent.h"
#include "pages/mover.h"
#include "pages/sink-socket.h"

#define EVENTS 64 /* read at once */

struct fault {
	struct lazy_space *space;
	uint64_t address;
};

struct daemon {
	const struct lazy_setup *setup;
	struct lazy lazy;
	int epoll;
	unsigned n_told;	     /* tasks that the restorer has spoken of */
	bool finished;		     /* all tasks run */
	VECTOR(struct fault) faults; /* not served yet */
};

static int watch_descriptor(const struct daemon *daemon, int fd, void *what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

	return epoll_ctl(daemon->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? fail_errno("cannot wait at a descriptor") : 0;
}

/* --- what the restorer says --- */

/* The userfaultfd, and a pidfd if it is one of ours. */
static int receive_fds(const struct daemon *daemon, int *ret_uffd, int *ret_pidfd)
{
	int fds[FDS_SENT_MAX] = { -1, -1 }, n = fd_receive(daemon->setup->restorer, fds);

	if (n < 0)
		return refuse(ECONNRESET, "the restorer has gone away");
	if (n == 0)
		return refuse(EPROTO, "the restorer sends no userfaultfd");
	*ret_uffd = fds[0];
	*ret_pidfd = fds[1];
	return 0;
}

static int add_task(struct daemon *daemon, uint64_t pid)
{
	const enum page_wanted wanted = daemon->setup->server ? PAGES_LAZY_REMOTE : PAGES_LAZY;
	struct page_reader *reader = NULL;
	struct lazy_source *source, *other;
	int uffd = -1, pidfd = -1, result;

	TRY(receive_fds(daemon, &uffd, &pidfd));
	result = page_reader_open_for(daemon->setup->store, IMAGE_PAGEMAP, pid, wanted, &reader);
	list_for_each(other, &daemon->lazy.sources, link)
		if (other->pid == pid && result == 0)
			result = refuse(EPROTO, "the restorer speaks of process %" PRIu64 " for the second time", pid);
	for (size_t i = 0; result == 0 && i < reader->n; i++)
		if (!reader->ranges[i].file && !daemon->setup->server)
			result = refuse(EINVAL,
					"the pages at %#" PRIx64 " of process %" PRIu64
					" are not in the images: give --page-server and "
					"the address of the dump that has them",
					reader->ranges[i].start, pid);
	if (result < 0) {
		page_reader_close(&reader);
		close(uffd);
		if (pidfd >= 0)
			close(pidfd);
		return result == -ENOENT ? refuse(ENOENT, "process %" PRIu64 " has no pagemap in these images", pid)
					 : result;
	}
	source = lazy_source_create(pid, reader, uffd, pidfd);
	log_info("Process %" PRIu64 ": %" PRIu64 " pages are lazy", pid, reader->size / page_size());
	lazy_events_begin(&daemon->lazy);
	list_push(&daemon->lazy.sources, &source->link);
	lazy_events_end(&daemon->lazy);
	return watch_descriptor(daemon, uffd, list_first(&source->spaces, struct lazy_space, link));
}

static int hear_restorer(struct daemon *daemon)
{
	union {
		int32_t pid;
		uint32_t word;
	} said;
	int result = io_read_exact(daemon->setup->restorer, &said, sizeof(said));

	if (result < 0 && daemon->setup->is_ours)
		return -ECONNRESET;
	if (result < 0)
		return refuse(ECONNRESET,
			      "the restorer has gone away before all tasks were restored: its log tells why");
	if (daemon->n_told < daemon->setup->n_tasks) {
		daemon->n_told++;
		return said.pid > 0 ? add_task(daemon, (uint64_t)said.pid) : 0;
	}
	if (said.word != LAZY_FINISHED)
		return refuse(EPROTO, "the restorer says %#x where the end was expected", said.word);
	log_info("All tasks run: now for the rest of their memory");
	daemon->finished = true;
	(void)epoll_ctl(daemon->epoll, EPOLL_CTL_DEL, daemon->setup->restorer, NULL);
	return lazy_fetch_background(&daemon->lazy);
}

/* --- what the kernel says --- */

static int add_fork(struct daemon *daemon, struct lazy_space *parent, int uffd)
{
	struct lazy_space *child = lazy_space_fork(parent, uffd);

	log_debug("Process %" PRIu64 ": has forked", parent->source->pid);
	return watch_descriptor(daemon, uffd, child);
}

static int handle_event(struct daemon *daemon, struct lazy_space *space, const struct uffd_msg *msg)
{
	switch (msg->event) {
	case UFFD_EVENT_PAGEFAULT:
		*vector_push(&daemon->faults) =
			(struct fault){ space, msg->arg.pagefault.address / page_size() * page_size() };
		return 0;
	case UFFD_EVENT_FORK:
		return add_fork(daemon, space, (int)msg->arg.fork.ufd);
	case UFFD_EVENT_REMAP:
		lazy_space_move(space, msg->arg.remap.from, msg->arg.remap.to, msg->arg.remap.len);
		return 0;
	case UFFD_EVENT_REMOVE:
	case UFFD_EVENT_UNMAP:
		lazy_space_forget(space, msg->arg.remove.start, msg->arg.remove.end);
		return 0;
	default:
		return refuse(EPROTO, "process %" PRIu64 ": the kernel tells of the unknown event %#x",
			      space->source->pid, msg->event);
	}
}

static int read_events(struct daemon *daemon, struct lazy_space *space)
{
	struct uffd_msg messages[EVENTS];
	int result = 0;
	ssize_t got;

	if (space->uffd < 0)
		return 0;
	lazy_events_begin(&daemon->lazy);
	do {
		got = read(space->uffd, messages, sizeof(messages));
		for (ssize_t i = 0; i < got / (ssize_t)sizeof(messages[0]) && result == 0; i++)
			result = handle_event(daemon, space, &messages[i]);
	} while (got == sizeof(messages) && result == 0);
	lazy_events_end(&daemon->lazy);
	if (got < 0 && errno != EAGAIN && errno != EINTR && result == 0) {
		log_debug("Process %" PRIu64 ": is gone: %s", space->source->pid, strerror(errno));
		space->gone = true;
	}
	return result;
}

/* Those that an unread event is in the way of stay. */
static int serve_faults(struct daemon *daemon)
{
	size_t n = 0;

	for (size_t i = 0; i < daemon->faults.n; i++) {
		struct fault fault = daemon->faults.items[i];
		int result = fault.space->gone || fault.space->uffd < 0
				     ? 0
				     : lazy_fetch_now(&daemon->lazy, fault.space, fault.address);

		if (result == -EAGAIN)
			daemon->faults.items[n++] = fault;
		else
			TRY(result);
	}
	daemon->faults.n = n;
	return 0;
}

/* --- */

/* Those that have all their memory need us no more. Returns how many still do. */
static unsigned let_go(struct daemon *daemon)
{
	struct lazy_source *source;
	struct lazy_space *space;
	unsigned left = 0;

	list_for_each(source, &daemon->lazy.sources, link) {
		list_for_each(space, &source->spaces, link) {
			if (space->uffd < 0)
				continue;
			if (!space->gone && (!daemon->finished || lazy_space_wants_any(space))) {
				left++;
				continue;
			}
			log_debug("Process %" PRIu64 ": %s", source->pid,
				  space->gone ? "is gone" : "has all of its memory");
			lazy_events_begin(&daemon->lazy);
			lazy_space_forget(space, 0, UINT64_MAX);
			close(TAKE_FD(space->uffd));
			lazy_events_end(&daemon->lazy);
		}
	}
	return left;
}

static int wait_and_handle(struct daemon *daemon)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(daemon->epoll, events, EVENTS, daemon->faults.n ? 1 : -1);
	uint64_t count;

	if (n < 0 && errno != EINTR)
		return fail_errno("cannot wait for events");
	TRY(interrupt_check());
	for (int i = 0; i < n; i++) {
		void *what = events[i].data.ptr;

		if (what == daemon)
			TRY(hear_restorer(daemon));
		else if (what == &daemon->setup)
			continue; /* too late to be interrupted */
		else if (what == &daemon->lazy)
			(void)!read(daemon->lazy.signal, &count, sizeof(count));
		else
			TRY(read_events(daemon, what));
	}
	TRY(atomic_load(&daemon->lazy.failure));
	return serve_faults(daemon);
}

static int greet_restorer(const struct daemon *daemon)
{
	const struct lazy_hello hello = { getpid(), daemon->lazy.guard.pid };

	return daemon->setup->is_ours ? io_write(daemon->setup->restorer, &hello, sizeof(hello)) : 0;
}

static int daemon_run(struct daemon *daemon)
{
	unsigned left = 1;

	TRY(watch_descriptor(daemon, daemon->setup->restorer, daemon));
	TRY(watch_descriptor(daemon, daemon->lazy.signal, &daemon->lazy));
	if (interrupt_fd() >= 0)
		TRY(watch_descriptor(daemon, interrupt_fd(), &daemon->setup));
	TRY(lazy_guard_begin(&daemon->lazy));
	urgent_begin();
	TRY(greet_restorer(daemon));
	TRY(lazy_fetch_begin(&daemon->lazy));
	while (!daemon->finished || left) {
		TRY(wait_and_handle(daemon));
		left = let_go(daemon);
	}
	return 0;
}

/* Memory is lost: a task that went on would find zeros in its place. */
static void end_tasks(struct daemon *daemon)
{
	struct lazy_source *source;
	struct lazy_space *space;

	list_for_each(source, &daemon->lazy.sources, link) {
		space = list_first(&source->spaces, struct lazy_space, link);
		if (space->uffd >= 0 && lazy_space_wants_any(space))
			log_error("Process %" PRIu64 " is killed: it cannot have its memory", source->pid);
	}
	lazy_end_tasks(&daemon->lazy.sources);
}

static void daemon_init(struct daemon *daemon, const struct lazy_setup *setup)
{
	daemon->setup = setup;
	daemon->lazy.guard.daemon = -1;
	list_init(&daemon->lazy.sources);
	lazy_fetch_init(&daemon->lazy);
	daemon->lazy.server = setup->server;
	daemon->lazy.signal = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	daemon->epoll = epoll_create1(EPOLL_CLOEXEC);
}

static void daemon_done(struct daemon *daemon)
{
	while (!list_empty(&daemon->lazy.sources)) {
		struct lazy_source *source = list_first(&daemon->lazy.sources, struct lazy_source, link);

		list_remove(&source->link);
		lazy_source_destroy(source);
	}
	vector_done(&daemon->faults);
	close(daemon->lazy.signal);
	close(daemon->epoll);
	lazy_fetch_done(&daemon->lazy);
}

int lazy_serve(const struct lazy_setup *setup)
{
	struct daemon daemon = { 0 };
	int result, none = 0;

	daemon_init(&daemon, setup);
	result = daemon.epoll < 0 || daemon.lazy.signal < 0 ? fail_errno("making descriptors to wait at")
							    : daemon_run(&daemon);
	if (result < 0)
		atomic_compare_exchange_strong(&daemon.lazy.failure, &none, result);
	lazy_fetch_end(&daemon.lazy);
	urgent_end();
	if (result < 0)
		end_tasks(&daemon);
	else if (setup->server)
		result = page_client_end(setup->server);
	lazy_guard_end(&daemon.lazy);
	daemon_done(&daemon);
	return result;
}
