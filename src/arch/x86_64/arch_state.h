/* SPDX-License-Identifier: LGPL-2.1-only */
/* The registers of an x86-64 thread; inside of arch/x86_64 only. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/user.h>

#include "arch_compat.h"

struct arch_thread_state {
	struct user_regs_struct general;
	struct user_desc tls[TLS_ENTRIES]; /* only of threads in 32-bit mode */
	size_t xstate_size;
	/* XSAVE area in the standard (not compacted) form, as NT_X86_XSTATE has it. Copies share it. */
	uint8_t *xstate;
};

/* Places in the XSAVE area; Intel SDM volume 1, chapter 13. */
#define XSTATE_SW_RESERVED 464 /* the kernel puts the mask of enabled features here, asm/sigcontext.h */
#define XSTATE_HEADER	   512 /* XSTATE_BV, XCOMP_BV */
#define XSTATE_EXTENDED	   576

enum xcomponent {
	XCOMPONENT_X87,
	XCOMPONENT_SSE,
	XCOMPONENT_YMM,
	XCOMPONENT_BNDREGS,
	XCOMPONENT_BNDCSR,
	XCOMPONENT_OPMASK,
	XCOMPONENT_ZMM_HI256,
	XCOMPONENT_HI16_ZMM,
	XCOMPONENT_PKRU = 9,
	XCOMPONENT_TILECFG = 17,
	XCOMPONENT_TILEDATA = 18
};

/* The FXSAVE part, asm/sigcontext.h struct _fpstate_64. */
struct fxsave {
	uint16_t cwd, swd, twd, fop;
	uint64_t rip, rdp;
	uint32_t mxcsr, mxcsr_mask;
	uint32_t st_space[32], xmm_space[64];
};

static inline bool state_is_compat(const struct arch_thread_state *state)
{
	return regs_are_compat(&state->general);
}

/* The XSAVE area as signal frames have it. */
void state_write_fpstate(const struct arch_thread_state *state, uint8_t *to);
