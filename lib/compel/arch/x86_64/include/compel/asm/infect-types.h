/* SPDX-License-Identifier: LGPL-2.1-only */
/* Registers of an x86 thread as libcompel hands them out. */
#ifndef COMPEL_ASM_INFECT_TYPES_H
#define COMPEL_ASM_INFECT_TYPES_H

#include <compel/asm/fpu.h>
#include <compel/plugins/std/asm/syscall-types.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
	uint64_t r15, r14, r13, r12;
	uint64_t bp, bx;
	uint64_t r11, r10, r9, r8;
	uint64_t ax, cx, dx, si, di;
	uint64_t orig_ax; /* number of the system call, -1 = not in one */
	uint64_t ip, cs, flags, sp, ss;
	uint64_t fs_base, gs_base;
	uint64_t ds, es, fs, gs;
} user_regs_struct64;

typedef struct {
	uint32_t bx, cx, dx, si, di, bp, ax;
	uint32_t ds, es, fs, gs;
	uint32_t orig_ax;
	uint32_t ip, cs, flags, sp, ss;
} user_regs_struct32;

#define NATIVE_MAGIC 0x0A
#define COMPAT_MAGIC 0x0C

typedef struct {
	union {
		user_regs_struct64 native;
		user_regs_struct32 compat;
	};
	short __is_native; /* NATIVE_MAGIC, or COMPAT_MAGIC for a thread in 32-bit mode */
} user_regs_struct_t;

typedef struct xsave_struct user_fpregs_struct_t;

/* These take a pointer to the registers ... */
#define user_regs_native(pregs)	  ((pregs)->__is_native == NATIVE_MAGIC)
#define get_user_reg(pregs, name) (user_regs_native(pregs) ? (pregs)->native.name : (pregs)->compat.name)
#define set_user_reg(pregs, name, val) \
	(user_regs_native(pregs) ? ((pregs)->native.name = (val)) : ((pregs)->compat.name = (uint32_t)(val)))

/* ... these the registers themselves. */
#define REG_RES(regs)	      get_user_reg(&(regs), ax)
#define REG_IP(regs)	      get_user_reg(&(regs), ip)
#define SET_REG_IP(regs, val) set_user_reg(&(regs), ip, val)
#define REG_SP(regs)	      get_user_reg(&(regs), sp)
#define REG_SYSCALL_NR(regs)  get_user_reg(&(regs), orig_ax)

/* Number of a system call: __NR(munmap, false). Wants <compel/plugins/std/syscall-codes.h>. */
#define __NR(syscall, compat) ((compat) ? __NR32_##syscall : __NR_##syscall)

/* Entries 12 to 14 of the GDT: the thread areas of 32-bit code. */
#define GDT_ENTRY_TLS_MIN     12
#define GDT_ENTRY_TLS_MAX     14
#define GDT_ENTRY_TLS_ENTRIES 3

/* Entries that are not used have seg_not_present = 1. */
typedef struct {
	user_desc_t desc[GDT_ENTRY_TLS_ENTRIES];
} tls_t;

#include <compel/thread-area.h>

#endif
