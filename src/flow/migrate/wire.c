/* SPDX-License-Identifier: GPL-2.0-only */
/* The connection of the two sides of a migration: frames over any pair of descriptors. */
#include "flow/migrate/wire.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/deadline.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "kern/pidfd.h"

#define REASON_S  2
#define HELPER_MS 5000

/* It ends by itself when it has passed on what it has. */
static void end_helper(pid_t helper)
{
	AUTO_CLOSE int pidfd = pidfd_of_process(helper);

	if (pidfd >= 0 && pidfd_wait_exit(pidfd, HELPER_MS) < 0)
		(void)kill(helper, SIGKILL);
	while (waitpid(helper, NULL, 0) < 0 && errno == EINTR)
		;
}

void wire_close(struct wire *wire)
{
	if (wire->out >= 0 && wire->out != wire->in)
		close(wire->out);
	if (wire->in >= 0)
		close(wire->in);
	if (wire->helper > 0)
		end_helper(wire->helper);
	buffer_done(&wire->payload);
	*wire = WIRE_NONE;
}

int wire_send(struct wire *wire, enum migrate_kind kind, uint32_t number, const void *data, size_t size)
{
	const struct migrate_head head = { MIGRATE_MAGIC, kind, number, (uint32_t)size };
	AUTO(buffer_done) struct buffer frame = { 0 };
	int error;

	buffer_append(&frame, &head, sizeof(head));
	if (size)
		buffer_append(&frame, data, size);
	error = io_write(wire->out, frame.data, frame.size);
	return error < 0 ? fail(-error, "the connection to the other side is lost: cannot send") : 0;
}

int wire_say(struct wire *wire, enum migrate_kind kind, uint32_t number, const char *text)
{
	size_t size = strlen(text);

	return wire_send(wire, kind, number, text, size < MIGRATE_PAYLOAD_MAX ? size : MIGRATE_PAYLOAD_MAX);
}

/* All bytes: 1; 0 at the end; -ETIMEDOUT. */
static int read_all(struct wire *wire, void *to, size_t size, const struct deadline *deadline)
{
	for (size_t at = 0; at < size;) {
		ssize_t got;
		int ready = interrupt_poll(wire->in, POLLIN, deadline);

		if (ready == 0)
			return -ETIMEDOUT;
		TRY(ready);
		got = read(wire->in, (char *)to + at, size - at);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return 0;
		at += (size_t)got;
	}
	return 1;
}

int wire_receive(struct wire *wire, unsigned seconds)
{
	const struct deadline deadline = deadline_in_seconds(seconds);
	int result = read_all(wire, &wire->head, sizeof(wire->head), &deadline);

	if (result <= 0)
		return result;
	if (wire->head.magic != MIGRATE_MAGIC || wire->head.size > MIGRATE_PAYLOAD_MAX)
		return refuse(EPROTO, "the other side does not speak the protocol of criu migrate");
	buffer_done(&wire->payload);
	(void)buffer_extend(&wire->payload, wire->head.size);
	return wire->head.size ? read_all(wire, wire->payload.data, wire->head.size, &deadline) : 1;
}

static int refuse_frame(struct wire *wire)
{
	if (wire->head.kind != MIGRATE_REFUSED)
		return refuse(EPROTO, "the other side says %u where something else is due", wire->head.kind);
	text_mask_controls(wire->payload.data, wire->payload.size);
	return refuse(EREMOTEIO, "the other side: %s", wire->payload.data);
}

int wire_check(struct wire *wire, enum migrate_kind kind)
{
	return wire->head.kind == kind ? 0 : refuse_frame(wire);
}

/* What ssh ends with is what the shell there, or the criu that it has run, has ended with; 255 is its own. */
static int refuse_end(struct wire *wire)
{
	AUTO_CLOSE int pidfd = wire->by_ssh && wire->helper > 0 ? pidfd_of_process(wire->helper) : -1;
	int status;

	if (pidfd < 0 || pidfd_wait_exit(pidfd, HELPER_MS) < 0 || waitpid(wire->helper, &status, 0) != wire->helper)
		return refuse(ECONNRESET, "the other side has ended, or the connection is lost");
	wire->helper = 0;
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 127 || WEXITSTATUS(status) == 126))
		return refuse(ECONNRESET, "ssh finds no criu on the other side: --remote-criu PATH tells where it is");
	if (WIFEXITED(status) && WEXITSTATUS(status) != 255)
		return refuse(
			ECONNRESET,
			"the criu that ssh has started on the other side has ended with %d, and says why above; if "
			"it does not know migrate, it is another one than this: --remote-criu PATH",
			WEXITSTATUS(status));
	return refuse(ECONNRESET,
		      "ssh cannot connect to the other side, or has lost the connection, and says why above");
}

int wire_expect(struct wire *wire, enum migrate_kind kind, unsigned seconds)
{
	int result = wire_receive(wire, seconds);

	if (result == -ETIMEDOUT)
		return refuse(ETIMEDOUT, "the other side has been silent for %u s", seconds);
	TRY(result);
	if (result == 0)
		return refuse_end(wire);
	return wire_check(wire, kind);
}

void wire_tell_reason(struct wire *wire)
{
	if (wire->in >= 0 && wire_receive(wire, REASON_S) > 0 && wire->head.kind == MIGRATE_REFUSED)
		(void)refuse_frame(wire);
}
