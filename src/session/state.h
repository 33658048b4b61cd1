/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What parts of the program keep for the time of a session, a task or a thread. The structs of session/session.h have
 * room for it and don't know what it is. A part describes its state by a struct state_type, which is also its key,
 * makes it when it needs it and has a typed function to find it (file_dump_of(d)). At the end of the session all that
 * was made is destroyed, the last first, whatever has failed; what must go earlier is dropped.
 *
 * Made and dropped by the main thread only, while no worker looks.
 */
#pragma once

#include <stddef.h>

struct state_type {
	size_t size;
	void (*destroy)(void *state); /* what it holds, not itself; may be NULL */
};

struct states {
	struct state *last;
};

/* NULL: it was not made, or is gone. */
void *state_find(const struct states *states, const struct state_type *type);
/* Zeroed. It must not be there yet. */
void *state_make(struct states *states, const struct state_type *type);
/* The same; made if it is not there yet. */
void *state_get(struct states *states, const struct state_type *type);
/* Before the end; nothing happens if it is not there. */
void state_destroy(struct states *states, const struct state_type *type);
void states_destroy(struct states *states);
