/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --post-copy, where the program comes to: criu says and hears what it always does, the process that gives memory to
 * the tasks asks a page server. Both go over the one connection, in frames of their own. Once the tasks run, a process
 * of ours must live until they have their memory, whatever becomes of criu and of the connection.
 */
#include "flow/migrate/porter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/deadline.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/guard.h"
#include "base/io.h"
#include "base/log.h"
#include "base/vector.h"
#include "flow/migrate/record.h"
#include "flow/migrate/wire.h"
#include "pages/protocol.h"

enum { AT_WIRE, AT_LINE, AT_PAGES, AT_DOOR, N_PLACES };

/* One frame as it comes in, whenever that is. */
struct half_frame {
	struct migrate_head head;
	struct buffer payload;
	size_t got; /* of both */
};

struct carrying {
	const char *id;
	unsigned patience;
	int in, out; /* the connection; -1: it has broken */
	int line, pages, door;
	int helper; /* whoever gave us the connection waits for the end of this one; -1: it was there from the start */
	int record; /* -1: nothing is ready yet */
	pid_t root;
	bool committed, runs, complete;
	struct deadline deadline; /* tasks that lack memory are killed then, or nobody is waited for any more */
	struct half_frame coming;
	VECTOR(struct page_message) asked; /* and not answered, in order */
};

static void close_connection(struct carrying *c)
{
	if (c->out >= 0 && c->out != c->in)
		close(c->out);
	auto_close(&c->in);
	auto_close(&c->helper);
	c->in = c->out = c->helper = -1;
	buffer_done(&c->coming.payload);
	c->coming = (struct half_frame){ 0 };
}

static void lose_connection(struct carrying *c)
{
	if (c->in < 0)
		return;
	close_connection(c);
	if (!c->runs || c->complete)
		return;
	c->deadline = deadline_in_seconds(c->patience);
	log_warn("The connection is lost. What runs here waits for memory that it lacks, until there is another one");
	if (c->patience)
		log_warn("If there is none within %u s, it is killed", c->patience);
	log_flush();
}

static int send_frame(int fd, enum migrate_kind kind, uint32_t number, const void *data, size_t size)
{
	struct wire wire = { .in = fd, .out = fd };

	return wire_send(&wire, kind, number, data, size);
}

/* What cannot be sent is asked for, or asked about, again by the next connection. */
static void send_to_wire(struct carrying *c, enum migrate_kind kind, uint32_t number, const void *data, size_t size)
{
	if (c->out >= 0 && send_frame(c->out, kind, number, data, size) < 0)
		lose_connection(c);
}

static void close_line(struct carrying *c)
{
	auto_close(&c->line);
	c->line = -1;
}

static void send_to_line(struct carrying *c, enum migrate_kind kind, uint32_t number, const void *data, size_t size)
{
	if (c->line >= 0 && send_frame(c->line, kind, number, data, size) < 0)
		close_line(c);
}

/* --- from the other side --- */

static int take_frame(struct carrying *c)
{
	const struct migrate_head *head = &c->coming.head;
	const char *data = c->coming.payload.data;

	if (head->kind != MIGRATE_PAGES) {
		c->committed |= head->kind == MIGRATE_COMMIT;
		send_to_line(c, head->kind, head->number, data, head->size);
		return 0;
	}
	if (!c->asked.n)
		return refuse(EPROTO, "the other side sends memory that nobody has asked for");
	memmove(c->asked.items, c->asked.items + 1, --c->asked.n * sizeof(*c->asked.items));
	if (c->pages >= 0 && io_write(c->pages, data, head->size) < 0)
		log_debug("nobody takes memory any more");
	return 0;
}

/* A part of a frame, as much as there is. */
static int hear_wire(struct carrying *c)
{
	struct half_frame *coming = &c->coming;
	const size_t have = sizeof(coming->head);
	const bool in_head = coming->got < have;
	char *to = in_head ? (char *)&coming->head + coming->got : coming->payload.data + coming->got - have;
	size_t size = (in_head ? 0 : coming->head.size) + have - coming->got;
	ssize_t got = size ? read(c->in, to, size) : 0;

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (got <= 0)
		return -ECONNRESET;
	coming->got += (size_t)got;
	if (coming->got == have) {
		if (coming->head.magic != MIGRATE_MAGIC || coming->head.size > MIGRATE_PAYLOAD_MAX)
			return refuse(EPROTO, "the other side does not speak the protocol of criu migrate");
		(void)buffer_extend(&coming->payload, coming->head.size);
	}
	if (coming->got < have || coming->got < have + coming->head.size)
		return 0;
	TRY(take_frame(c));
	buffer_done(&coming->payload);
	*coming = (struct half_frame){ 0 };
	return 0;
}

/* --- from criu here --- */

static int open_door(const char *id)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	record_door(id, &address);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0)
		return fail_errno("%s", address.sun_path);
	return TAKE_FD(fd);
}

/* Before it can run anybody can see that memory will still come, and how it can. */
static int become_ready(struct carrying *c)
{
	c->record = record_watch(c->id);
	TRY(c->record);
	c->door = open_door(c->id);
	return c->door < 0 ? c->door : 0;
}

static int hear_line(struct carrying *c)
{
	struct wire line = { .in = c->line, .out = c->line };
	int result = wire_receive(&line, WIRE_GRACE_S);

	if (result <= 0) {
		close_line(c);
	} else if (line.head.kind == MIGRATE_READY && become_ready(c) < 0) {
		close_line(c);
	} else {
		if (line.head.kind == MIGRATE_RESUMED) {
			c->runs = true;
			c->root = (pid_t)line.head.number;
			if (c->in < 0)
				c->deadline = deadline_in_seconds(c->patience);
		}
		send_to_wire(c, line.head.kind, line.head.number, line.payload.data, line.head.size);
	}
	buffer_done(&line.payload);
	return 0;
}

/* --- from the process that gives memory to the tasks --- */

static void note_complete(struct carrying *c)
{
	const int32_t fine = 0;

	c->complete = true;
	(void)record_move(c->record, RECORD_PARTIAL, RECORD_RESUMED, c->root);
	(void)io_write(c->pages, &fine, sizeof(fine));
	send_to_line(c, MIGRATE_COMPLETE, 0, NULL, 0);
	send_to_wire(c, MIGRATE_COMPLETE, 0, NULL, 0);
	c->deadline = deadline_in_seconds(WIRE_GRACE_S);
}

/* The tasks that lack memory are dead by now. */
static void note_lost(struct carrying *c)
{
	(void)record_move(c->record, RECORD_PARTIAL, RECORD_LOST, c->root);
	send_to_line(c, MIGRATE_GONE, 0, NULL, 0);
	send_to_wire(c, MIGRATE_GONE, 0, NULL, 0);
}

static int hear_pages(struct carrying *c)
{
	struct page_message message;

	if (io_read_exact(c->pages, &message, sizeof(message)) < 0) {
		auto_close(&c->pages);
		c->pages = -1;
		return 0;
	}
	switch (message.command & 0xffff) {
	case PAGE_GET:
		*vector_push(&c->asked) = message;
		send_to_wire(c, MIGRATE_WANT, 0, &message, sizeof(message));
		return 0;
	case PAGE_CLOSE:
	case PAGE_FORCE_CLOSE:
		note_complete(c);
		return 0;
	default:
		return refuse(EPROTO, "a command %#x to ask for memory", message.command);
	}
}

/* --- another connection --- */

static int receive_connection(int from, int *ret_in, int *ret_out)
{
	int fds[FDS_SENT_MAX];

	if (fd_receive(from, fds) != 2)
		return refuse(EPROTO, "no connection was given");
	*ret_in = fds[0];
	*ret_out = fds[1];
	return 0;
}

static int open_to_helper(struct carrying *c)
{
	AUTO_CLOSE int helper = accept4(c->door, NULL, NULL, SOCK_CLOEXEC);
	int in = -1, out = -1;

	if (helper < 0 || receive_connection(helper, &in, &out) < 0)
		return 0;
	close_connection(c);
	c->in = in;
	c->out = out;
	c->helper = TAKE_FD(helper);
	if (!c->complete)
		c->deadline = (struct deadline){ 0 };
	log_warn("There is a connection again: memory goes on");
	log_flush();
	for (size_t i = 0; i < c->asked.n; i++)
		send_to_wire(c, MIGRATE_WANT, 0, &c->asked.items[i], sizeof(c->asked.items[i]));
	if (c->complete)
		send_to_wire(c, MIGRATE_COMPLETE, 0, NULL, 0);
	return 0;
}

/* --- */

static bool is_over(struct carrying *c)
{
	if (!c->runs) /* and will not without a connection, or without criu */
		return c->line < 0 || (c->in < 0 && !c->committed);
	if (c->complete)
		return c->line < 0 || c->in < 0 || deadline_passed(&c->deadline);
	return c->pages < 0;
}

/* Who gives memory to the tasks hears of it, kills those that lack some, and ends: then we hear of that. */
static void lose_patience(struct carrying *c)
{
	log_error("No other connection has come: what lacks memory here is killed");
	(void)shutdown(c->pages, SHUT_WR);
	c->deadline = (struct deadline){ 0 };
}

/* The same if we cannot go on. */
static void await_death(const struct carrying *c)
{
	struct page_message message;

	if (c->pages < 0)
		return;
	(void)shutdown(c->pages, SHUT_WR);
	while (io_read_exact(c->pages, &message, sizeof(message)) == 0)
		;
}

static int wait_and_carry(struct carrying *c)
{
	struct pollfd polls[N_PLACES] = {
		[AT_WIRE] = { .fd = c->in, .events = POLLIN },
		[AT_LINE] = { .fd = c->line, .events = POLLIN },
		[AT_PAGES] = { .fd = c->pages, .events = POLLIN },
		[AT_DOOR] = { .fd = c->door, .events = POLLIN },
	};
	int n = poll(polls, N_PLACES, deadline_left_ms(&c->deadline));

	if (n < 0 && errno != EINTR)
		return fail_errno("waiting for what comes");
	if (n == 0 && c->runs && !c->complete && deadline_passed(&c->deadline))
		lose_patience(c);
	if (n <= 0)
		return 0;
	if (polls[AT_WIRE].revents && hear_wire(c) < 0)
		lose_connection(c);
	if (polls[AT_LINE].revents)
		TRY(hear_line(c));
	if (polls[AT_PAGES].revents && c->pages >= 0)
		TRY(hear_pages(c));
	return polls[AT_DOOR].revents ? open_to_helper(c) : 0;
}

static void remove_door(const char *id)
{
	struct sockaddr_un address;

	record_door(id, &address);
	(void)unlink(address.sun_path);
}

static void carry_all(struct carrying *c)
{
	char begin;

	if (io_read_exact(c->line, &begin, 1) < 0)
		return;
	while (!is_over(c) && wait_and_carry(c) >= 0)
		;
	if (c->runs && !c->complete) {
		await_death(c);
		note_lost(c);
	}
	if (c->door >= 0)
		remove_door(c->id);
}

/* Nothing else of criu is kept open. */
static int keep_only(const struct carrying *c)
{
	const int kept[] = { c->in, c->out, c->line, c->pages, log_fd() };

	return fd_close_others(kept, ARRAY_SIZE(kept));
}

static _Noreturn void run_porter(struct carrying *c)
{
	guard_stand_apart("criu-porter");
	failure_reset();
	if (keep_only(c) == 0)
		carry_all(c);
	log_flush();
	_exit(0);
}

int porter_start(const struct wire *wire, const char *id, unsigned patience, struct porter *ret)
{
	struct carrying carrying = {
		.id = id,
		.patience = patience,
		.in = wire->in,
		.out = wire->out,
		.door = -1,
		.helper = -1,
		.record = -1,
	};
	int line[2], pages[2];

	*ret = PORTER_NONE;
	ret->id = id;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) < 0)
		return fail_errno("making a pair of sockets");
	ret->line = line[0];
	carrying.line = line[1];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pages) < 0) {
		close(line[1]);
		return fail_errno("making a pair of sockets");
	}
	ret->pages = pages[0];
	carrying.pages = pages[1];
	log_flush();
	ret->pid = fork();
	if (ret->pid == 0)
		run_porter(&carrying);
	close(line[1]);
	close(pages[1]);
	return ret->pid < 0 ? fail_errno("making a process that carries memory") : 0;
}

int porter_begin(struct porter *porter, struct wire *wire)
{
	const char begin = 0;

	if (io_write(porter->line, &begin, 1) < 0)
		return fail_errno("the process that carries memory is gone");
	if (wire->out != wire->in)
		close(wire->out);
	close(wire->in);
	wire->in = wire->out = TAKE_FD(porter->line);
	return 0;
}

void porter_end(struct porter *porter, struct wire *wire)
{
	auto_close(&porter->line);
	auto_close(&porter->pages);
	if (porter->pid > 0 && wire)
		wire_close(wire);
	if (porter->pid > 0) {
		while (waitpid(porter->pid, NULL, 0) < 0 && errno == EINTR)
			;
		remove_door(porter->id); /* should it have been killed */
	}
	*porter = PORTER_NONE;
}

int porter_help(const char *id, const struct wire *wire)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int fds[] = { wire->in, wire->out };
	struct sockaddr_un address;
	char nothing;

	record_door(id, &address);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || fd_send(fd, fds, 2) < 0)
		return fail_errno("the process that brings memory to migration %s cannot be reached", id);
	(void)io_read_exact(fd, &nothing, 1);
	return 0;
}
