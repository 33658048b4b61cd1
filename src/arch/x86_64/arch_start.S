/* SPDX-License-Identifier: LGPL-2.1-only */
/* Offset 0 of the blob: a thread arrives here with its slot in rdi and the top of the slot's stack in rsp. */
	.section .start, "ax", @progbits
	.globl blob_start
blob_start:
	xor %ebp, %ebp
	cld
	call blob_run
	ud2
	.globl blob_syscall
blob_syscall:	/* offset 16: a system call instruction for calls made from outside */
	.org blob_start + 16
	syscall
	ud2
	int $0x80	/* the same for calls of 32-bit programs, 4 behind */
	ud2
	.section .note.GNU-stack, "", @progbits
