/* SPDX-License-Identifier: GPL-2.0-only */
/* The connection of the two sides of a migration: frames over any pair of descriptors. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "flow/migrate/protocol.h"

/* So long the other side may say nothing where it has something to say. */
#define WIRE_GRACE_S 60u
/* The same where it has work to do, and the tasks run meanwhile. */
#define WIRE_WORK_S 600u

struct wire {
	int in, out;  /* may be the same */
	pid_t helper; /* a process that carries the bytes (ssh, TLS), our child; 0: there is none */
	bool by_ssh;
	struct migrate_head head;
	struct buffer payload; /* of the frame that came last, with a NUL behind it */
};

#define WIRE_NONE ((struct wire){ .in = -1, .out = -1 })

void wire_close(struct wire *wire);
int wire_send(struct wire *wire, enum migrate_kind kind, uint32_t number, const void *data, size_t size);
/* With a text as its payload. */
int wire_say(struct wire *wire, enum migrate_kind kind, uint32_t number, const char *text);
/*
 * The next frame into wire->head and ->payload: 1; 0: the other side has ended; -ETIMEDOUT: nothing has come for so
 * many seconds (0: no limit), not logged; or a failure. What breaks a connection is its end, too.
 */
int wire_receive(struct wire *wire, unsigned seconds);
/* A frame of this kind. Anything else is a failure: a refusal is logged with its reason. */
int wire_expect(struct wire *wire, enum migrate_kind kind, unsigned seconds);
/* Is the one that came of this kind? */
int wire_check(struct wire *wire, enum migrate_kind kind);
/* Something has failed: does the other side say why? Waits a moment. */
void wire_tell_reason(struct wire *wire);
