/* SPDX-License-Identifier: LGPL-2.1-only */
/* The frame from which rt_sigreturn(2) takes all registers; layout: asm/sigcontext.h, asm/ucontext.h. */
#include <asm/sigcontext.h>
#include <string.h>

#include "arch_regs.h"
#include "arch_state.h"

/* The kernel's struct ucontext; libc's ucontext_t has a longer signal mask. */
struct kernel_ucontext {
	unsigned long flags;
	uint64_t link;
	struct {
		uint64_t sp;
		int32_t flags;
		uint32_t pad;
		uint64_t size;
	} stack;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8];
	uint64_t sigmask;
};

#define COMPAT_POPS   12  /* what __kernel_vsyscall takes off the stack before it returns */
#define FRAME_FPSTATE 512 /* behind the ucontext, aligned to 64 */

_Static_assert(sizeof(struct kernel_ucontext) <= FRAME_FPSTATE, "the ucontext fits in front of the XSAVE area");

size_t arch_frame_size(const struct arch_thread_state *state)
{
	size_t size = FRAME_FPSTATE + state->xstate_size + FP_XSTATE_MAGIC2_SIZE + 64;
	size_t compat = state_is_compat(state) ? COMPAT_POPS + compat_frame_size(state) : 0;

	return size > compat ? size : compat;
}

void state_write_fpstate(const struct arch_thread_state *state, uint8_t *to)
{
	struct _fpx_sw_bytes sw = {
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = (uint32_t)state->xstate_size + FP_XSTATE_MAGIC2_SIZE,
		.xstate_size = (uint32_t)state->xstate_size,
	};
	uint32_t magic2 = FP_XSTATE_MAGIC2;

	memcpy(&sw.xfeatures, state->xstate + XSTATE_SW_RESERVED, sizeof(sw.xfeatures));
	memcpy(to, state->xstate, state->xstate_size);
	memcpy(to + XSTATE_SW_RESERVED, &sw, sizeof(sw));
	memcpy(to + state->xstate_size, &magic2, sizeof(magic2));
}

/* In 64-bit mode, whatever the mode of the thread: the blob makes the call. */
uint64_t arch_frame_write(const struct arch_thread_state *state, uint64_t sigmask, void *to, uint64_t address)
{
	const struct user_regs_struct *r = &state->general;
	uint64_t pad = (64 - address % 64) % 64;
	struct kernel_ucontext *uc = (void *)((char *)to + pad);

	memset(uc, 0, sizeof(*uc));
	uc->flags = 1 /* UC_FP_XSTATE */ | 2 /* UC_SIGCONTEXT_SS */ | 4 /* UC_STRICT_RESTORE_SS */;
	uc->stack.flags = 0x10; /* no valid mode: the alternate stack stays as it is */
	uc->r8 = r->r8;
	uc->r9 = r->r9;
	uc->r10 = r->r10;
	uc->r11 = r->r11;
	uc->r12 = r->r12;
	uc->r13 = r->r13;
	uc->r14 = r->r14;
	uc->r15 = r->r15;
	uc->di = r->rdi;
	uc->si = r->rsi;
	uc->bp = r->rbp;
	uc->bx = r->rbx;
	uc->dx = r->rdx;
	uc->ax = r->rax;
	uc->cx = r->rcx;
	uc->sp = r->rsp;
	uc->ip = r->rip;
	uc->eflags = r->eflags;
	uc->cs = (uint16_t)r->cs;
	uc->ss = (uint16_t)r->ss;
	uc->fpstate = address + pad + FRAME_FPSTATE;
	uc->sigmask = sigmask;
	state_write_fpstate(state, (uint8_t *)uc + FRAME_FPSTATE);
	return address + pad;
}

uint64_t arch_call_frame_write(const struct arch_thread_state *state, uint64_t sigmask, uint64_t sigreturn, void *to,
			       uint64_t address)
{
	uint64_t context;

	if (state_is_compat(state)) {
		compat_frame_write(state, sigmask, (char *)to + COMPAT_POPS, address + COMPAT_POPS);
		memcpy((char *)to + COMPAT_POPS, &sigreturn, sizeof(uint32_t));
		return address;
	}
	/* ret pops the address of rt_sigreturn; after that the stack pointer must be at the ucontext, which the frame
	 * puts at the next multiple of 64. */
	context = arch_frame_write(state, sigmask, (char *)to + 64, address + 64);
	memcpy((char *)to + (context - 8 - address), &sigreturn, sizeof(sigreturn));
	return context - 8;
}
