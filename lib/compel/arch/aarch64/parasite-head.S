/* SPDX-License-Identifier: LGPL-2.1-only */
/* Where a thread enters and leaves a parasite. */
	.section .head.text, "ax", @progbits
	.globl __export_parasite_head_start
	.type __export_parasite_head_start, @function
__export_parasite_head_start:	/* called by the library's interpreter, on the parasite's stack */
	stp x29, x30, [sp, #-16]!
	mov x29, xzr
	bl parasite_service
	ldp x29, x30, [sp], #16
	ret

	.section .text.compel_leave, "ax", @progbits
	.globl compel_leave
	.type compel_leave, @function
compel_leave:			/* (address of a struct rt_sigframe): does not return */
	mov sp, x0
	.globl __cr_restore_rt
	.type __cr_restore_rt, @function
__cr_restore_rt:
	mov x8, #139
	.globl compel_leave_call
compel_leave_call:
	svc #0
	b __cr_restore_rt	/* the library, before it puts all registers back itself, skips the call: should it die there, it is made */

	.section .text.compel_vanish, "ax", @progbits
	.globl compel_vanish
	.type compel_vanish, @function
compel_vanish:			/* (stack, call, start, length, back): the program's own code unmaps ours, and returns to its rt_sigreturn(2) */
	mov sp, x0
	mov x9, x1
	mov x0, x2
	mov x1, x3
	mov x30, x4
	mov x8, #215
	br x9

	.section .note.GNU-stack, "", @progbits
