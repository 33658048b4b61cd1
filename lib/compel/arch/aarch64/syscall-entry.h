/* SPDX-License-Identifier: LGPL-2.1-only */
/* A system call as a C function: arguments and result are in the same registers. */
	.macro SYSCALL_FUNCTION name, nr, self, sleeps
	.section .text.\name, "ax", @progbits
	.globl \name
	.type \name, @function
\name:
	.if \self
	mov x0, xzr
	.endif
	.if \sleeps
	adrp x9, compel_has_slept
	mov w10, #1
	strb w10, [x9, #:lo12:compel_has_slept]
	.endif
	mov x8, #\nr
	svc #0
	ret
	.size \name, . - \name
	.endm
#define SYSCALL(name, nr)	  SYSCALL_FUNCTION name, nr, 0, 0
/* The first argument is 0. */
#define SYSCALL_OF_SELF(name, nr) SYSCALL_FUNCTION name, nr, 1, 0
/* Makes the kernel forget how to go on with a sleep of the program, restart_syscall(2). */
#define SYSCALL_THAT_SLEEPS(name, nr) SYSCALL_FUNCTION name, nr, 0, 1
