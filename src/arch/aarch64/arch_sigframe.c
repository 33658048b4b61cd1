/* SPDX-License-Identifier: LGPL-2.1-only */
/* The frame from which rt_sigreturn(2) takes all registers; layout: asm/sigcontext.h, asm/ucontext.h. */
#include <asm/sigcontext.h>
#include <string.h>

#include "arch_regs.h"
#include "arch_state.h"

#define SIGINFO_SIZE  128
#define SIGMASK_SPACE 128

/* The kernel's struct rt_sigframe. */
struct kernel_frame {
	uint8_t siginfo[SIGINFO_SIZE];
	uint64_t flags, link;
	struct {
		uint64_t sp;
		int32_t flags;
		uint32_t pad;
		uint64_t size;
	} stack;
	union {
		uint64_t sigmask;
		uint8_t space[SIGMASK_SPACE];
	};
	struct sigcontext context; /* aligned to 16 */
};

/* Vectors lie behind the frame, announced by a record in it. */
struct frame_records {
	struct fpsimd_context fpsimd;
	struct extra_context extra;
	struct _aarch64_ctx end;
	uint8_t pad[8];
};

_Static_assert(offsetof(struct kernel_frame, context) == 128 + 40 + 128 + 8, "as the kernel has it");
_Static_assert(sizeof(struct frame_records) <= sizeof(((struct sigcontext *)0)->__reserved), "");

static const struct register_set *vectors_of(const struct arch_thread_state *state)
{
	if (state_holds_vectors(&state->ssve))
		return &state->ssve;
	return state_holds_vectors(&state->sve) ? &state->sve : NULL;
}

static size_t length_of(const struct register_set *vectors)
{
	struct user_sve_header header;

	memcpy(&header, vectors->data, sizeof(header));
	return header.vl;
}

/* The record of vectors, and the one that ends the list. */
static size_t extra_size(const struct register_set *vectors)
{
	size_t size = sizeof(struct sve_context) + state_vectors_size(length_of(vectors));

	return (size + 15) / 16 * 16 + 16;
}

size_t arch_frame_size(const struct arch_thread_state *state)
{
	const struct register_set *vectors = vectors_of(state);

	return sizeof(struct kernel_frame) + (vectors ? extra_size(vectors) : 0) + 16;
}

static void write_vectors(const struct register_set *vectors, bool streaming, uint8_t *to)
{
	size_t vl = length_of(vectors);
	struct sve_context context = {
		.head = { SVE_MAGIC, (uint32_t)(extra_size(vectors) - 16) },
		.vl = (uint16_t)vl,
		.flags = streaming ? 1 : 0, /* SVE_SIG_FLAG_SM */
	};

	memcpy(to, &context, sizeof(context));
	memcpy(to + (sizeof(context) + 15) / 16 * 16, vectors->data + SVE_PT_SVE_OFFSET, state_vectors_size(vl));
}

uint64_t arch_frame_write(const struct arch_thread_state *state, uint64_t sigmask, void *to, uint64_t address)
{
	const struct register_set *vectors = vectors_of(state);
	uint64_t pad = (16 - address % 16) % 16;
	uint8_t *start = (uint8_t *)to + pad;
	struct kernel_frame *frame = (void *)start;
	struct frame_records *records = (void *)frame->context.__reserved;

	memset(frame, 0, arch_frame_size(state) - pad);
	frame->stack.flags = 0x10; /* no valid mode: the alternate stack stays as it is */
	frame->sigmask = sigmask;
	memcpy(frame->context.regs, state->general.regs, sizeof(frame->context.regs));
	frame->context.sp = state->general.sp;
	frame->context.pc = state->general.pc;
	frame->context.pstate = state->general.pstate;
	records->fpsimd.head = (struct _aarch64_ctx){ FPSIMD_MAGIC, sizeof(records->fpsimd) };
	records->fpsimd.fpsr = state->fpsimd.fpsr;
	records->fpsimd.fpcr = state->fpsimd.fpcr;
	memcpy(records->fpsimd.vregs, state->fpsimd.vregs, sizeof(records->fpsimd.vregs));
	if (vectors) {
		/* Right behind the record that ends the list, rt_sigreturn(2) wants. */
		uint64_t behind = offsetof(struct kernel_frame, context.__reserved) + sizeof(*records);

		records->extra.head = (struct _aarch64_ctx){ EXTRA_MAGIC, sizeof(records->extra) };
		records->extra.datap = address + pad + behind;
		records->extra.size = (uint32_t)extra_size(vectors);
		write_vectors(vectors, vectors == &state->ssve, start + behind);
	}
	return address + pad;
}

uint64_t arch_call_frame_write(const struct arch_thread_state *state, uint64_t sigmask, uint64_t sigreturn, void *to,
			       uint64_t address)
{
	return arch_frame_write(state, sigmask, to, address); /* it returns by x30: arch_remote_prepare_own() */
}
