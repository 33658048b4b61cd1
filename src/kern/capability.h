/* SPDX-License-Identifier: LGPL-2.1-only */
/* Capabilities of the calling thread, see capabilities(7). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

bool capability_effective(unsigned capability);
uint64_t capability_permitted(void); /* bit n is capability n */
/* All that this kernel knows: what the first process of a user namespace has. */
uint64_t capability_all(void);
/* Keeps those (bit n is capability n) that are permitted, as permitted and effective ones; all others are gone. -errno,
 * not logged. */
int capability_keep(uint64_t capabilities);
