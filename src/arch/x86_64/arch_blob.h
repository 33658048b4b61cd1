/* SPDX-License-Identifier: LGPL-2.1-only */
/* What the blob needs of the CPU beyond system calls. */
#pragma once

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
	long result;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "mov %[slot], %%rdi\n\t"
			 "lea %c[top](%%rdi), %%rsp\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "call blob_run\n\t"
			 "1:"
			 : "=a"(result)
			 : "a"((long)__NR_clone3), "D"(args),
			   "S"(size), [slot] "r"(slot), [top] "i"(offsetof(struct slot, stack) + SLOT_STACK_SIZE)
			 : "rcx", "r11", "memory");
	return result;
}

/* memcpy without a call that the compiler could make of a loop. */
static inline void arch_copy(void *to, const void *from, size_t size)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

/* Lets a moment pass. */
static inline void arch_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/* Calls a C function without arguments that may use any register, on another stack. stack: its top, a multiple of 16.
 */
static inline long arch_call_on(int64_t stack, int64_t function)
{
	long result;

	__asm__ volatile("mov %%rsp, %%rbx\n\t"
			 "mov %[stack], %%rsp\n\t"
			 "call *%[function]\n\t"
			 "mov %%rbx, %%rsp"
			 : "=a"(result)
			 : [stack] "r"(stack), [function] "r"(function)
			 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
	return result;
}

/* A system call as 32-bit programs make it, with up to five arguments. */
static inline long arch_syscall_compat(long nr, const int64_t a[5])
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(nr), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
			 : "r8", "r9", "r10", "r11", "memory");
	return result;
}

/* rt_sigreturn(2) with the ucontext at this address. */
static inline void __attribute__((noreturn)) arch_go_home(int64_t ucontext)
{
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "mov $15, %%eax\n\t"
			 "syscall"
			 :
			 : "r"(ucontext)
			 : "memory");
	__builtin_unreachable();
}
