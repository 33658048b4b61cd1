/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A system call as a C function. What differs is in syscall-code.h of the CPU, included before: CLEAR_FIRST_ARGUMENT,
 * NOTE_SLEEP, CALL_KERNEL nr.
 */
	.macro SYSCALL_FUNCTION name, nr, self, sleeps
	.section .text.\name, "ax", @progbits
	.globl \name
	.type \name, @function
\name:
	.if \self
	CLEAR_FIRST_ARGUMENT
	.endif
	.if \sleeps
	NOTE_SLEEP
	.endif
	CALL_KERNEL \nr
	ret
	.size \name, . - \name
	.endm
#define SYSCALL(name, nr)	  SYSCALL_FUNCTION name, nr, 0, 0
/* The first argument is 0. */
#define SYSCALL_OF_SELF(name, nr) SYSCALL_FUNCTION name, nr, 1, 0
/* Makes the kernel forget how to go on with a sleep of the program, restart_syscall(2). */
#define SYSCALL_THAT_SLEEPS(name, nr) SYSCALL_FUNCTION name, nr, 0, 1
