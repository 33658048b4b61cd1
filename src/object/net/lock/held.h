/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies of descriptors of connections, which keep their sockets until the tasks are gone: how each of them ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/vector.h"

enum held_kind {
	HELD_REPAIRABLE,   /* it is saved, and closed in repair mode without a word */
	HELD_UNREPAIRABLE, /* the same, but the lock has to swallow the word */
	HELD_DROPPED,	   /* it is not kept: its other end is told */
	N_HELD_KINDS
};

struct held {
	VECTOR(int) fds[N_HELD_KINDS];
	bool silent; /* those that can be are in repair mode */
};

int held_copy(struct held *held, enum held_kind kind, int fd, int *ret);
/* Repair mode on, and off again if the tasks live on after all. */
int held_silence(struct held *held);
void held_let_speak(struct held *held);
/* The tasks are dead, the lock of the dump lasts: ends those without repair mode, and lets dropped ones end by a reset.
 */
void held_reset(struct held *held);
/* The same: ends those that go on elsewhere already. */
void held_end_moved(struct held *held);
void held_done(struct held *held);
