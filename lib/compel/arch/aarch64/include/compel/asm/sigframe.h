/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The signal frame of aarch64 (asm/sigcontext.h, asm/ucontext.h). When rt_sigreturn(2) is called the stack pointer must
 * be at its start, a multiple of 16.
 */
#ifndef COMPEL_ASM_SIGFRAME_H
#define COMPEL_ASM_SIGFRAME_H

#include <compel/ksigset.h>
#include <compel/sigframe-types.h>
#include <stdint.h>

/* So far behind the start of the frame. */
#define RT_SIGFRAME_STACK 0

struct rt_sigcontext {
	uint64_t fault_address;
	uint64_t regs[31];
	uint64_t sp;
	uint64_t pc;
	uint64_t pstate;
	/* Records (struct _aarch64_ctx): the first one has the vector registers, one of size 0 ends the list. */
	uint8_t reserved[4096] __attribute__((aligned(16)));
};

struct rt_ucontext {
	uint64_t uc_flags;
	uint64_t uc_link;
	rt_stack_t uc_stack;
	k_rtsigset_t uc_sigmask;
	uint8_t uc_unused[128 - sizeof(k_rtsigset_t)];
	struct rt_sigcontext uc_mcontext;
};

struct rt_sigframe {
	rt_siginfo_t info;
	struct rt_ucontext uc;
};

#endif
