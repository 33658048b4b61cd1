/* SPDX-License-Identifier: LGPL-2.1-only */
/* Arguments and result are in the same registers as in C. */
	.macro CLEAR_FIRST_ARGUMENT
	mov x0, xzr
	.endm
	.macro NOTE_SLEEP
	adrp x9, compel_has_slept
	mov w10, #1
	strb w10, [x9, #:lo12:compel_has_slept]
	.endm
	.macro CALL_KERNEL nr
	mov x8, #\nr
	svc #0
	.endm
