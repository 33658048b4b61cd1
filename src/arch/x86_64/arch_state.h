/* SPDX-License-Identifier: GPL-2.0-only */
/* The registers of an x86-64 thread; inside of arch/x86_64 only. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/user.h>

struct arch_thread_state {
	struct user_regs_struct general;
	size_t xstate_size;
	/* XSAVE area in the standard (not compacted) form, as NT_X86_XSTATE has it. */
	uint8_t xstate[];
};

/* Places in the XSAVE area; Intel SDM volume 1, chapter 13. */
#define XSTATE_SW_RESERVED 464 /* the kernel puts the mask of enabled features here, asm/sigcontext.h */
#define XSTATE_HEADER	   512 /* XSTATE_BV, XCOMP_BV */
#define XSTATE_EXTENDED	   576

enum xfeature { XFEATURE_X87, XFEATURE_SSE, XFEATURE_YMM, XFEATURE_BNDREGS, XFEATURE_BNDCSR, XFEATURE_OPMASK,
		XFEATURE_ZMM_HI256, XFEATURE_HI16_ZMM, XFEATURE_PKRU = 9, XFEATURE_TILECFG = 17, XFEATURE_TILEDATA = 18 };
