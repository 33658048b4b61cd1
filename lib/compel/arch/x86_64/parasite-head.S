/* SPDX-License-Identifier: LGPL-2.1-only */
/* Where a thread enters and leaves a parasite. */
	.section .head.text, "ax", @progbits
	.globl __export_parasite_head_start
	.type __export_parasite_head_start, @function
__export_parasite_head_start:	/* called by the library's interpreter, on the parasite's stack */
	cld
	sub $8, %rsp
	call parasite_service
	add $8, %rsp
	ret

	.section .text.compel_leave, "ax", @progbits
	.globl compel_leave
	.type compel_leave, @function
compel_leave:			/* (address of a struct rt_sigframe): does not return */
	lea 8(%rdi), %rsp
__cr_restore_rt:		/* a handler's ret has taken pretcode from the stack */
	mov $15, %eax
	.globl compel_leave_call
compel_leave_call:
	syscall
	jmp __cr_restore_rt	/* the library, before it puts all registers back itself, skips the call: should it die there, it is made */
	.globl __cr_restore_rt
	.type __cr_restore_rt, @function

	.section .text.compel_vanish, "ax", @progbits
	.globl compel_vanish
	.type compel_vanish, @function
compel_vanish:			/* (stack, call, start, length): the program's own code unmaps ours, and returns to its rt_sigreturn(2) */
	mov %rdi, %rsp
	mov %rsi, %r8
	mov %rdx, %rdi
	mov %rcx, %rsi
	mov $11, %eax
	jmp *%r8

	.section .note.GNU-stack, "", @progbits
