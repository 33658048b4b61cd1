/* SPDX-License-Identifier: LGPL-2.1-only */
/* Code that takes the place of a function of a foreign vdso. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ARCH_JUMP_SIZE 14 /* functions of a vdso are aligned to 16 */

/* jmp *0(%rip), with the address behind it: changes no register. */
static inline void arch_write_jump(uint8_t *to, uint64_t target)
{
	static const uint8_t jump[6] = { 0xff, 0x25, 0, 0, 0, 0 };

	memcpy(to, jump, sizeof(jump));
	memcpy(to + sizeof(jump), &target, sizeof(target));
}

/* Code that does the same on every kernel, and has no room for a jump. */
static inline bool arch_vdso_function_stays(const char *name)
{
	return false;
}

#define ARCH_COMPAT_JUMP_SIZE 6

/* jmp, five bytes: __kernel_vsyscall has its system call instructions behind them, and a thread may stand there. */
static inline void arch_write_compat_jump(uint8_t *to, uint64_t from, uint64_t target)
{
	int32_t distance = (int32_t)(target - (from + 5));

	*to = 0xe9;
	memcpy(to + 1, &distance, sizeof(distance));
}

/* mov $-ENOSYS, %eax; ret */
static inline void arch_write_compat_no_syscall(uint8_t *to)
{
	static const uint8_t code[ARCH_COMPAT_JUMP_SIZE] = { 0xb8, 0xda, 0xff, 0xff, 0xff, 0xc3 };

	memcpy(to, code, sizeof(code));
}

/* mov $-ENOSYS, %rax; ret: the C library makes the system call instead. */
static inline void arch_write_no_syscall(uint8_t *to)
{
	static const uint8_t code[] = { 0x48, 0xc7, 0xc0, 0xda, 0xff, 0xff, 0xff, 0xc3 };

	memcpy(to, code, sizeof(code));
}
