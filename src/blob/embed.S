/* SPDX-License-Identifier: LGPL-2.1-only */
/* Takes the flat blob into the program. */
	.section .rodata
	.balign 16
	.globl blob_image, blob_image_end
blob_image:
	.incbin BLOB_FILE
blob_image_end:
	.section .note.GNU-stack, "", @progbits
