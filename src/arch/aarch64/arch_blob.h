/* SPDX-License-Identifier: LGPL-2.1-only */
/* What the blob needs of the CPU beyond system calls. */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "blob/abi/steps.h"

/*
 * clone3(2). The new task leaves at once for its own slot: our stack lies in shared memory, so it must not be touched
 * by two tasks, not even after a plain fork.
 */
static inline long arch_clone_to(void *args, size_t size, struct slot *slot)
{
	register long x8 __asm__("x8") = __NR_clone3;
	register long x0 __asm__("x0") = (long)args;
	register long x1 __asm__("x1") = (long)size;
	register long top __asm__("x9") = (long)slot + (long)offsetof(struct slot, stack) + SLOT_STACK_SIZE;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x0, %[slot]\n\t"
			 "mov sp, %[top]\n\t"
			 "mov x29, xzr\n\t"
			 "mov x30, xzr\n\t"
			 "b blob_run\n\t"
			 "1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), [top] "r"(top), [slot] "r"(slot)
			 : "memory", "cc");
	return x0;
}

/* memcpy without a call that the compiler could make of a loop. */
static inline void arch_copy(void *to, const void *from, size_t size)
{
	uint64_t word;

	__asm__ volatile("b 2f\n"
			 "1:\tldr %[word], [%[from]], #8\n\t"
			 "str %[word], [%[to]], #8\n"
			 "2:\tsubs %[size], %[size], #8\n\t"
			 "b.hs 1b\n\t"
			 "add %[size], %[size], #8\n\t"
			 "b 4f\n"
			 "3:\tldrb %w[word], [%[from]], #1\n\t"
			 "strb %w[word], [%[to]], #1\n\t"
			 "sub %[size], %[size], #1\n"
			 "4:\tcbnz %[size], 3b"
			 : [to] "+r"(to), [from] "+r"(from), [size] "+r"(size), [word] "=&r"(word)
			 :
			 : "memory", "cc");
}

/* Lets a moment pass. */
static inline void arch_pause(void)
{
	__asm__ volatile("isb" : : : "memory");
}

/* Calls a C function without arguments that may use any register, on another stack. stack: its top, a multiple of 16.
 */
static inline long arch_call_on(int64_t stack, int64_t function)
{
	register int64_t x1 __asm__("x1") = stack;
	register int64_t x2 __asm__("x2") = function;
	register long x0 __asm__("x0");

	__asm__ volatile("mov x19, sp\n\t"
			 "mov sp, x1\n\t"
			 "blr x2\n\t"
			 "mov sp, x19"
			 : "=r"(x0), "+r"(x1), "+r"(x2)
			 :
			 : "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
			   "x17", "x18", "x19", "x30", "memory", "cc");
	return x0;
}

/* Programs of 32-bit Arm are refused. */
static inline long arch_syscall_compat(long nr, const int64_t a[5])
{
	(void)nr;
	(void)a;
	return -ENOSYS;
}

/* rt_sigreturn(2) with the frame at this address. */
static inline void __attribute__((noreturn)) arch_go_home(int64_t frame)
{
	__asm__ volatile("mov sp, %0\n\t"
			 "mov x8, #139\n\t"
			 "svc #0"
			 :
			 : "r"(frame)
			 : "memory");
	__builtin_unreachable();
}
