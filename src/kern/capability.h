/* SPDX-License-Identifier: GPL-2.0-only */
/* Capabilities of the calling thread, see capabilities(7). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool capability_effective(unsigned capability);
bool capability_permitted(unsigned capability);

/*
 * Makes a capability effective that is only permitted, as that of a worker that acts for an ordinary user is. Returns what
 * capability_lower() needs to undo it; for use with AUTO: AUTO(capability_lower) int raised = capability_raise(CAP_SYS_ADMIN).
 * It is no error if there is nothing to be raised: the call that needs it will say so.
 */
int capability_raise(unsigned capability);
void capability_lower(int *raised);

/* Keeps these (bit n is capability n), as far as they are permitted, of the effective and the permitted ones; the others are gone. -errno. */
int capability_keep(uint64_t effective, uint64_t permitted);
