/* SPDX-License-Identifier: LGPL-2.1-only */
/* The registers of an aarch64 thread; inside of arch/aarch64 only. */
#pragma once

#include <asm/ptrace.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Sets of registers for ptrace(2) whose numbers older headers lack; include/uapi/linux/elf.h. */
enum {
	SET_TLS = 0x401,
	SET_SYSTEM_CALL = 0x404,
	SET_SVE = 0x405,
	SET_PACA_KEYS = 0x407,
	SET_PACG_KEYS = 0x408,
	SET_TAGGED_ADDR_CTRL = 0x409,
	SET_PAC_ENABLED_KEYS = 0x40a,
	SET_SSVE = 0x40b,
	SET_ZA = 0x40c,
	SET_ZT = 0x40d,
	SET_FPMR = 0x40e,
	SET_POE = 0x40f,
	SET_GCS = 0x410,
};

/* A set as ptrace(2) gives it; size 0: the thread has none. Copies of the state share it. */
struct register_set {
	size_t size;
	uint8_t *data;
};

struct arch_thread_state {
	struct user_pt_regs general;
	pid_t tid; /* whose they are; 0 = they come from a record */
	struct user_fpsimd_state fpsimd;
	struct register_set tls;    /* TPIDR_EL0, with SME also TPIDR2_EL0 */
	struct register_set sve;    /* a struct user_sve_header, and the registers, if they hold more than fpsimd */
	struct register_set ssve;   /* the same in streaming mode */
	struct register_set za, zt; /* only if ZA is switched on */
	struct register_set paca, pacg, pac_enabled;
	struct register_set tagged_addr_ctrl;
	struct register_set fpmr, poe;
};

/* The sets that are not told apart: where they lie in the state, their number and name. In this order they are set. */
struct set_place {
	size_t offset; /* of a struct register_set */
	int number;
	const char *name;
};
#define STATE_SETS 10
extern const struct set_place state_sets[STATE_SETS];

static inline struct register_set *state_set_at(const struct arch_thread_state *state, const struct set_place *place)
{
	return (struct register_set *)((char *)state + place->offset);
}

/* Whether the set, of sve or ssve, holds registers that fpsimd has no room for. */
bool state_holds_vectors(const struct register_set *set);
/* The bytes of Z, P and FFR registers for vectors of vl bytes. */
size_t state_vectors_size(size_t vl);

/* Brings the CPU's guard bits back to those in front of any instruction. */
void regs_go_to(struct user_pt_regs *regs, uint64_t pc);
/* What NT_ARM_SYSTEM_CALL has: the call that the thread is in, -1: none. -errno, not logged. */
int state_set_call(pid_t tid, int nr);
int regs_set(pid_t tid, const struct user_pt_regs *regs);
#define CALL_SIZE 4 /* bytes of the instruction svc #0 */

/* Whether the instruction at the address, of the process or thread, is a system call. */
bool code_is_call(pid_t pid, uint64_t address);
