/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A system call without libc: number in rax, arguments in rdi, rsi, rdx, r10, r8, r9, result in rax; rcx and r11
 * are clobbered by the instruction itself. Returns -errno, see syscall(2).
 */
#pragma once

static inline long arch_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
