/* SPDX-License-Identifier: LGPL-2.1-only */
/* The extended registers of x86 as XSAVE writes them in its standard form (Intel SDM volume 1, chapter 13). */
#ifndef COMPEL_ASM_FPU_H
#define COMPEL_ASM_FPU_H

#include <stdint.h>

/* Components: bits of xstate_bv. */
enum xfeature {
	XFEATURE_FP,
	XFEATURE_SSE,
	XFEATURE_YMM,
	XFEATURE_BNDREGS,
	XFEATURE_BNDCSR,
	XFEATURE_OPMASK,
	XFEATURE_ZMM_Hi256,
	XFEATURE_Hi16_ZMM,
	XFEATURE_PT,
	XFEATURE_PKRU,
	XFEATURE_HDC,

	XFEATURE_MAX,
};

#define XFEATURE_MASK_FP	(1ul << XFEATURE_FP)
#define XFEATURE_MASK_SSE	(1ul << XFEATURE_SSE)
#define XFEATURE_MASK_YMM	(1ul << XFEATURE_YMM)
#define XFEATURE_MASK_BNDREGS	(1ul << XFEATURE_BNDREGS)
#define XFEATURE_MASK_BNDCSR	(1ul << XFEATURE_BNDCSR)
#define XFEATURE_MASK_OPMASK	(1ul << XFEATURE_OPMASK)
#define XFEATURE_MASK_ZMM_Hi256 (1ul << XFEATURE_ZMM_Hi256)
#define XFEATURE_MASK_Hi16_ZMM	(1ul << XFEATURE_Hi16_ZMM)
#define XFEATURE_MASK_PT	(1ul << XFEATURE_PT)
#define XFEATURE_MASK_PKRU	(1ul << XFEATURE_PKRU)
#define XFEATURE_MASK_HDC	(1ul << XFEATURE_HDC)

#define XSAVE_SIZE 16384

/* What FXSAVE writes. */
struct i387_fxsave_struct {
	uint16_t cwd;
	uint16_t swd;
	uint16_t twd;
	uint16_t fop;
	union {
		struct {
			uint64_t rip;
			uint64_t rdp;
		};
		struct {
			uint32_t fip;
			uint32_t fcs;
			uint32_t foo;
			uint32_t fos;
		};
	};
	uint32_t mxcsr;
	uint32_t mxcsr_mask;
	uint32_t st_space[32];	/* 8 registers of 16 bytes */
	uint32_t xmm_space[64]; /* 16 of 16 bytes */
	uint32_t padding[12];
	union {
		uint32_t padding1[12];
		uint32_t sw_reserved[12];
	};
} __attribute__((aligned(16)));

struct xsave_hdr_struct {
	uint64_t xstate_bv;
	uint64_t xcomp_bv;
	uint64_t reserved[6];
} __attribute__((packed));

/* Shadow stack registers. */
struct cet_user_state {
	uint64_t cet;
	uint64_t ssp;
};

struct xsave_struct {
	struct i387_fxsave_struct i387;
	struct xsave_hdr_struct xsave_hdr;
	uint8_t extended_state_area[XSAVE_SIZE - 512 - 64 - sizeof(struct cet_user_state)];
	struct cet_user_state cet;
} __attribute__((aligned(64)));

#endif
