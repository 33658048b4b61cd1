/* SPDX-License-Identifier: LGPL-2.1-only */
/* The kernel wants the fourth argument in another register than C, and clobbers rcx and r11. */
	.macro CLEAR_FIRST_ARGUMENT
	xor %edi, %edi
	.endm
	.macro NOTE_SLEEP
	movb $1, compel_has_slept(%rip)
	.endm
	.macro CALL_KERNEL nr
	mov $\nr, %eax
	mov %rcx, %r10
	syscall
	.endm
