/* SPDX-License-Identifier: LGPL-2.1-only */
/* Signal sets of the kernel: 64 bits, bit 0 is signal 1. libc's sigset_t is longer. */
#ifndef COMPEL_KSIGSET_H
#define COMPEL_KSIGSET_H

#include <stdint.h>

typedef struct {
	uint64_t sig[1];
} k_rtsigset_t;

static inline void ksigfillset(k_rtsigset_t *set)
{
	set->sig[0] = ~(uint64_t)0;
}

static inline void ksigemptyset(k_rtsigset_t *set)
{
	set->sig[0] = 0;
}

/* sig: 1 to 64. */
static inline void ksigaddset(k_rtsigset_t *set, int sig)
{
	set->sig[0] |= (uint64_t)1 << (sig - 1);
}

static inline void ksigdelset(k_rtsigset_t *set, int sig)
{
	set->sig[0] &= ~((uint64_t)1 << (sig - 1));
}

static inline int ksigismember(const k_rtsigset_t *set, int sig)
{
	return (int)(set->sig[0] >> (sig - 1) & 1);
}

#endif
