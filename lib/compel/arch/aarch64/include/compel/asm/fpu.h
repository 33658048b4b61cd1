/* SPDX-License-Identifier: LGPL-2.1-only */
/* The vector registers of aarch64: the kernel's struct user_fpsimd_state. */
#ifndef COMPEL_ASM_FPU_H
#define COMPEL_ASM_FPU_H

#include <stdint.h>

struct fpsimd_struct {
	uint64_t vregs[32][2]; /* the lower half first */
	uint32_t fpsr;
	uint32_t fpcr;
	uint32_t reserved[2];
} __attribute__((aligned(16)));

#endif
