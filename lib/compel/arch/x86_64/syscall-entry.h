/* SPDX-License-Identifier: LGPL-2.1-only */
/* A system call as a C function: the kernel wants the fourth argument in another register than C, and clobbers rcx and r11. */
	.macro SYSCALL_FUNCTION name, nr, self, sleeps
	.section .text.\name, "ax", @progbits
	.globl \name
	.type \name, @function
\name:
	.if \self
	xor %edi, %edi
	.endif
	.if \sleeps
	movb $1, compel_has_slept(%rip)
	.endif
	mov $\nr, %eax
	mov %rcx, %r10
	syscall
	ret
	.size \name, . - \name
	.endm
#define SYSCALL(name, nr)	  SYSCALL_FUNCTION name, nr, 0, 0
/* The first argument is 0. */
#define SYSCALL_OF_SELF(name, nr) SYSCALL_FUNCTION name, nr, 1, 0
/* Makes the kernel forget how to go on with a sleep of the program, restart_syscall(2). */
#define SYSCALL_THAT_SLEEPS(name, nr) SYSCALL_FUNCTION name, nr, 0, 1
