/* SPDX-License-Identifier: GPL-2.0-only */
/* An io_uring is made again. */
#pragma once

#include <stdint.h>

#include "uring.pb-c.h"

struct file;
struct restore;

int uring_create(struct restore *r, struct file *f);
int uring_settle(struct restore *r, struct file *f);

/* The requests that a new ring must have done to be where the old one was: with a completion each, without one, and
 * completions of others. */
struct uring_turns {
	uint32_t both, taken, completed;
};

struct uring_turns uring_turns_of(const UringEntry *record);
