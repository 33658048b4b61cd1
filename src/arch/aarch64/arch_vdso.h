/* SPDX-License-Identifier: LGPL-2.1-only */
/* Code that takes the place of a function of a foreign vdso. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ARCH_JUMP_SIZE 16

/* ldr x16, 8 bytes on; ret x16, with the address behind it. A call may change x16 (AAPCS64), and the target of a ret
 * needs no landing pad. */
static inline void arch_write_jump(uint8_t *to, uint64_t target)
{
	static const uint32_t jump[2] = { 0x58000050, 0xd65f0200 };

	memcpy(to, jump, sizeof(jump));
	memcpy(to + sizeof(jump), &target, sizeof(target));
}

/* mov x0, #-ENOSYS; ret: the C library makes the system call instead. */
static inline void arch_write_no_syscall(uint8_t *to)
{
	static const uint32_t code[2] = { 0x928004a0, 0xd65f03c0 };

	memcpy(to, code, sizeof(code));
}

/* 32-bit programs are refused: there is no vdso of theirs to be changed. */
#define ARCH_COMPAT_JUMP_SIZE 0

static inline void arch_write_compat_jump(uint8_t *to, uint64_t from, uint64_t target)
{
	(void)to;
	(void)from;
	(void)target;
}

static inline void arch_write_compat_no_syscall(uint8_t *to)
{
	(void)to;
}

/* Code that does the same on every kernel, and has no room for a jump: two instructions, where handlers return to. */
static inline bool arch_vdso_function_stays(const char *name)
{
	return strcmp(name, "__kernel_rt_sigreturn") == 0;
}
