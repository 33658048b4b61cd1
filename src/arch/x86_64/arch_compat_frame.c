/* SPDX-License-Identifier: LGPL-2.1-only */
/* The frame from which rt_sigreturn(2) takes all registers in 32-bit mode; layout: struct rt_sigframe_ia32 of
 * asm/sigframe.h. */
#include <asm/sigcontext.h>
#include <string.h>

#include "arch_compat.h"
#include "arch_state.h"

struct frame {
	uint32_t return_address;
	int32_t sig;
	uint32_t info_address, context_address;
	uint8_t info[128];
	struct {
		uint32_t flags, link;
		struct {
			uint32_t sp, flags, size;
		} stack;
		struct sigcontext_32 regs;
		uint32_t sigmask[2]; /* not aligned to 8 */
	} context;
};

#define FRAME_FPSTATE 576 /* XSAVE area, aligned to 64 */
#define FSAVE_SIZE    112 /* in front of it: the x87 registers in the form of FSAVE, and a status */

_Static_assert(sizeof(struct frame) + FSAVE_SIZE + 64 <= FRAME_FPSTATE, "it fits in front of the XSAVE area");
_Static_assert(sizeof(struct sigcontext_32) == 88, "as in 32-bit programs");

size_t compat_frame_size(const struct arch_thread_state *state)
{
	return FRAME_FPSTATE + state->xstate_size + FP_XSTATE_MAGIC2_SIZE;
}

/* The FXSAVE part begins with the same words, in another order: Intel SDM volume 1, figures 8-9 and 10-1. */
static void write_fsave(const struct arch_thread_state *state, uint8_t *to)
{
	struct fxsave fx;
	uint32_t head[7], status;
	uint32_t tags = 0;

	memcpy(&fx, state->xstate, sizeof(fx));
	/* 3 = empty; what else a register holds the kernel does not look at. */
	for (unsigned i = 0; i < 8; i++)
		tags |= (fx.twd >> i & 1 ? 0u : 3u) << (2 * i);
	head[0] = 0xffff0000u | fx.cwd;
	head[1] = status = 0xffff0000u | fx.swd;
	head[2] = 0xffff0000u | tags;
	head[3] = (uint32_t)fx.rip;
	head[4] = (uint32_t)(fx.rip >> 32 & 0xffff) | (uint32_t)fx.fop << 16;
	head[5] = (uint32_t)fx.rdp;
	head[6] = (uint32_t)(fx.rdp >> 32);
	memcpy(to, head, sizeof(head));
	for (unsigned i = 0; i < 8; i++)
		memcpy(to + sizeof(head) + i * 10ul, &fx.st_space[i * 4ul], 10);
	memcpy(to + FSAVE_SIZE - 4, (const uint16_t[2]){ (uint16_t)status, 0 /* X86_FXSR_MAGIC */ }, 4);
}

void compat_frame_write(const struct arch_thread_state *state, uint64_t sigmask, void *to, uint64_t frame)
{
	const struct user_regs_struct *r = &state->general;
	uint64_t xstate = (frame + FRAME_FPSTATE) / 64 * 64;
	struct frame f = { .sig = 0 };
	struct sigcontext_32 *regs = &f.context.regs;

	f.context.flags = 1;	      /* UC_FP_XSTATE */
	f.context.stack.flags = 0x10; /* no valid mode: the alternate stack stays as it is */
	regs->gs = (uint16_t)r->gs;
	regs->fs = (uint16_t)r->fs;
	regs->es = (uint16_t)r->es;
	regs->ds = (uint16_t)r->ds;
	regs->di = (uint32_t)r->rdi;
	regs->si = (uint32_t)r->rsi;
	regs->bp = (uint32_t)r->rbp;
	regs->sp = (uint32_t)r->rsp;
	regs->bx = (uint32_t)r->rbx;
	regs->dx = (uint32_t)r->rdx;
	regs->cx = (uint32_t)r->rcx;
	regs->ax = (uint32_t)r->rax;
	regs->ip = (uint32_t)r->rip;
	regs->cs = (uint16_t)r->cs;
	regs->flags = (uint32_t)r->eflags;
	regs->ss = (uint16_t)r->ss;
	regs->fpstate = (uint32_t)(xstate - FSAVE_SIZE);
	memcpy(f.context.sigmask, &sigmask, sizeof(sigmask));
	memcpy(to, &f, sizeof(f));
	write_fsave(state, (uint8_t *)to + (xstate - FSAVE_SIZE - frame));
	state_write_fpstate(state, (uint8_t *)to + (xstate - frame));
}
