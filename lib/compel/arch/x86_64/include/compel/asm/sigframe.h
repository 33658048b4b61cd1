/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The signal frame of x86-64 (asm/sigcontext.h, asm/ucontext.h). When rt_sigreturn(2) is called the stack pointer must
 * be at uc.
 */
#ifndef COMPEL_ASM_SIGFRAME_H
#define COMPEL_ASM_SIGFRAME_H

#include <compel/asm/fpu.h>
#include <compel/ksigset.h>
#include <compel/sigframe-types.h>
#include <stdint.h>

/* So far behind the start of the frame. */
#define RT_SIGFRAME_STACK 8

struct rt_sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2;
	uint64_t fpstate; /* address over there of a struct xsave_struct, a multiple of 64 */
	uint64_t reserved1[8];
};

struct rt_ucontext {
	uint64_t uc_flags;
	uint64_t uc_link;
	rt_stack_t uc_stack;
	struct rt_sigcontext uc_mcontext;
	k_rtsigset_t uc_sigmask;
};

/* The extended registers, with the word that ends them (FP_XSTATE_MAGIC2). */
typedef struct fpu_state {
	struct xsave_struct xsave;
	uint8_t magic2[64];
} fpu_state_t;

struct rt_sigframe {
	uint64_t pretcode;
	struct rt_ucontext uc;
	rt_siginfo_t info;
	fpu_state_t fpu_state; /* at a multiple of 64 */
};

#endif
