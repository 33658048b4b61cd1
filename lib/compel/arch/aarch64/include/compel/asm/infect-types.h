/* SPDX-License-Identifier: LGPL-2.1-only */
/* Registers of an aarch64 thread as libcompel hands them out. */
#ifndef COMPEL_ASM_INFECT_TYPES_H
#define COMPEL_ASM_INFECT_TYPES_H

#include <compel/asm/fpu.h>
#include <compel/plugins/std/asm/syscall-types.h>
#include <stdbool.h>
#include <stdint.h>

/* The kernel's struct user_pt_regs. */
typedef struct {
	uint64_t regs[31];
	uint64_t sp;
	uint64_t pc;
	uint64_t pstate;
} user_regs_struct_t;

typedef struct fpsimd_struct user_fpregs_struct_t;

/* These take a pointer to the registers ... */
#define user_regs_native(pregs)	       true
#define get_user_reg(pregs, name)      ((pregs)->name)
#define set_user_reg(pregs, name, val) ((pregs)->name = (val))

/* ... these the registers themselves. */
#define REG_RES(regs)	      ((regs).regs[0])
#define REG_IP(regs)	      ((regs).pc)
#define SET_REG_IP(regs, val) ((regs).pc = (val))
#define REG_SP(regs)	      ((regs).sp)
#define REG_SYSCALL_NR(regs)  ((regs).regs[8])

/* Number of a system call: __NR(munmap, false). Wants <compel/plugins/std/syscall-codes.h>. */
#define __NR(syscall, compat) __NR_##syscall

/* The thread pointer, TPIDR_EL0. */
typedef uint64_t tls_t;

#include <compel/thread-area.h>

#endif
