/* SPDX-License-Identifier: LGPL-2.1-only */
/* The flat image of the blob inside the program. Position independent; may be copied anywhere. */
#pragma once

extern const unsigned char blob_image[], blob_image_end[];

#define BLOB_ENTRY   0	/* offset where threads arrive */
#define BLOB_SYSCALL 16 /* offset of a system call instruction */
