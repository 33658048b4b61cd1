/* SPDX-License-Identifier: LGPL-2.1-only */
/* What the kernel tells programs of an aarch64 CPU: the words AT_HWCAP and AT_HWCAP2 of getauxval(3). */
#ifndef COMPEL_ASM_CPU_H
#define COMPEL_ASM_CPU_H

#include <stdint.h>

#define NCAPINTS_BITS 128

/* A feature is the bit's number in AT_HWCAP, or 64 + that in AT_HWCAP2; the bits are those of asm/hwcap.h. */
#define AARCH64_FEATURE_FP	0
#define AARCH64_FEATURE_ASIMD	1
#define AARCH64_FEATURE_AES	3
#define AARCH64_FEATURE_CRC32	7
#define AARCH64_FEATURE_ATOMICS 8
#define AARCH64_FEATURE_SVE	22
#define AARCH64_FEATURE_PACA	30
#define AARCH64_FEATURE_PACG	31
#define AARCH64_FEATURE_SVE2	(64 + 1)
#define AARCH64_FEATURE_BTI	(64 + 17)
#define AARCH64_FEATURE_MTE	(64 + 18)
#define AARCH64_FEATURE_SME	(64 + 23)

typedef struct {
	uint64_t hwcap[2];
} compel_cpuinfo_t;

#endif
