/* SPDX-License-Identifier: LGPL-2.1-only */
/* Offset 0 of the blob: a thread arrives here with its slot in x0 and the top of the slot's stack in sp. */
	.section .start, "ax", @progbits
	.globl blob_start
blob_start:
	mov x29, xzr
	mov x30, xzr
	bl blob_run
	udf #0
	.globl blob_syscall
blob_syscall:	/* offset 16: a system call instruction for calls made from outside */
	.org blob_start + 16
	svc #0
	udf #0
	.section .note.GNU-stack, "", @progbits
