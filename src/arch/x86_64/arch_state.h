/* SPDX-License-Identifier: LGPL-2.1-only */
/* The registers of an x86-64 thread; inside of arch/x86_64 only. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/user.h>

struct arch_thread_state {
	struct user_regs_struct general;
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
