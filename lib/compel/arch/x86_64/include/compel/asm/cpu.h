/* SPDX-License-Identifier: LGPL-2.1-only */
/* What CPUID of x86 says, in 19 words with the bits of the kernel's asm/cpufeatures.h. */
#ifndef COMPEL_ASM_CPU_H
#define COMPEL_ASM_CPU_H

#include <compel/asm/fpu.h>
#include <stdint.h>

/* Where each word comes from; the words that are missing here Linux makes up: they are 0. */
enum cpuid_leafs {
	CPUID_1_EDX = 0,
	CPUID_8000_0001_EDX = 1,
	CPUID_8086_0001_EDX = 2,
	CPUID_LNX_1 = 3,
	CPUID_1_ECX = 4,
	CPUID_C000_0001_EDX = 5,
	CPUID_8000_0001_ECX = 6,
	CPUID_LNX_2 = 7,
	CPUID_LNX_3 = 8,
	CPUID_7_0_EBX = 9,
	CPUID_D_1_EAX = 10,
	CPUID_LNX_4 = 11,
	CPUID_7_1_EAX = 12,
	CPUID_8000_0008_EBX = 13,
	CPUID_6_EAX = 14,
	CPUID_8000_000A_EDX = 15,
	CPUID_7_ECX = 16,
	CPUID_8000_0007_EBX = 17,
	CPUID_7_EDX = 18,
};

#define NCAPINTS      19
#define NCAPINTS_BITS (NCAPINTS * 32)

/* A feature is 32 * word + bit. */
#define X86_FEATURE_FPU		     (0 * 32 + 0)
#define X86_FEATURE_TSC		     (0 * 32 + 4)
#define X86_FEATURE_CX8		     (0 * 32 + 8)
#define X86_FEATURE_SEP		     (0 * 32 + 11)
#define X86_FEATURE_CMOV	     (0 * 32 + 15)
#define X86_FEATURE_CLFLUSH	     (0 * 32 + 19)
#define X86_FEATURE_MMX		     (0 * 32 + 23)
#define X86_FEATURE_FXSR	     (0 * 32 + 24)
#define X86_FEATURE_XMM		     (0 * 32 + 25) /* SSE */
#define X86_FEATURE_XMM2	     (0 * 32 + 26) /* SSE2 */
#define X86_FEATURE_SYSCALL	     (1 * 32 + 11)
#define X86_FEATURE_MMXEXT	     (1 * 32 + 22)
#define X86_FEATURE_RDTSCP	     (1 * 32 + 27)
#define X86_FEATURE_LM		     (1 * 32 + 29)
#define X86_FEATURE_3DNOWEXT	     (1 * 32 + 30)
#define X86_FEATURE_3DNOW	     (1 * 32 + 31)
#define X86_FEATURE_XMM3	     (4 * 32 + 0) /* SSE3 */
#define X86_FEATURE_PCLMULQDQ	     (4 * 32 + 1)
#define X86_FEATURE_SSSE3	     (4 * 32 + 9)
#define X86_FEATURE_FMA		     (4 * 32 + 12)
#define X86_FEATURE_CX16	     (4 * 32 + 13)
#define X86_FEATURE_XMM4_1	     (4 * 32 + 19) /* SSE4.1 */
#define X86_FEATURE_XMM4_2	     (4 * 32 + 20) /* SSE4.2 */
#define X86_FEATURE_MOVBE	     (4 * 32 + 22)
#define X86_FEATURE_POPCNT	     (4 * 32 + 23)
#define X86_FEATURE_AES		     (4 * 32 + 25)
#define X86_FEATURE_XSAVE	     (4 * 32 + 26)
#define X86_FEATURE_OSXSAVE	     (4 * 32 + 27)
#define X86_FEATURE_AVX		     (4 * 32 + 28)
#define X86_FEATURE_F16C	     (4 * 32 + 29)
#define X86_FEATURE_RDRAND	     (4 * 32 + 30)
#define X86_FEATURE_ABM		     (6 * 32 + 5)
#define X86_FEATURE_SSE4A	     (6 * 32 + 6)
#define X86_FEATURE_MISALIGNSSE	     (6 * 32 + 7)
#define X86_FEATURE_3DNOWPREFETCH    (6 * 32 + 8)
#define X86_FEATURE_XOP		     (6 * 32 + 11)
#define X86_FEATURE_FMA4	     (6 * 32 + 16)
#define X86_FEATURE_TBM		     (6 * 32 + 21)
#define X86_FEATURE_FSGSBASE	     (9 * 32 + 0)
#define X86_FEATURE_BMI1	     (9 * 32 + 3)
#define X86_FEATURE_HLE		     (9 * 32 + 4)
#define X86_FEATURE_AVX2	     (9 * 32 + 5)
#define X86_FEATURE_BMI2	     (9 * 32 + 8)
#define X86_FEATURE_ERMS	     (9 * 32 + 9)
#define X86_FEATURE_RTM		     (9 * 32 + 11)
#define X86_FEATURE_MPX		     (9 * 32 + 14)
#define X86_FEATURE_AVX512F	     (9 * 32 + 16)
#define X86_FEATURE_AVX512DQ	     (9 * 32 + 17)
#define X86_FEATURE_RDSEED	     (9 * 32 + 18)
#define X86_FEATURE_ADX		     (9 * 32 + 19)
#define X86_FEATURE_AVX512IFMA	     (9 * 32 + 21)
#define X86_FEATURE_CLFLUSHOPT	     (9 * 32 + 23)
#define X86_FEATURE_CLWB	     (9 * 32 + 24)
#define X86_FEATURE_AVX512PF	     (9 * 32 + 26)
#define X86_FEATURE_AVX512ER	     (9 * 32 + 27)
#define X86_FEATURE_AVX512CD	     (9 * 32 + 28)
#define X86_FEATURE_SHA_NI	     (9 * 32 + 29)
#define X86_FEATURE_AVX512BW	     (9 * 32 + 30)
#define X86_FEATURE_AVX512VL	     (9 * 32 + 31)
#define X86_FEATURE_XSAVEOPT	     (10 * 32 + 0)
#define X86_FEATURE_XSAVEC	     (10 * 32 + 1)
#define X86_FEATURE_XGETBV1	     (10 * 32 + 2)
#define X86_FEATURE_XSAVES	     (10 * 32 + 3)
#define X86_FEATURE_CLZERO	     (13 * 32 + 0)
#define X86_FEATURE_AVX512VBMI	     (16 * 32 + 1)
#define X86_FEATURE_PKU		     (16 * 32 + 3)
#define X86_FEATURE_OSPKE	     (16 * 32 + 4)
#define X86_FEATURE_AVX512_VBMI2     (16 * 32 + 6)
#define X86_FEATURE_GFNI	     (16 * 32 + 8)
#define X86_FEATURE_VAES	     (16 * 32 + 9)
#define X86_FEATURE_VPCLMULQDQ	     (16 * 32 + 10)
#define X86_FEATURE_AVX512_VNNI	     (16 * 32 + 11)
#define X86_FEATURE_AVX512_BITALG    (16 * 32 + 12)
#define X86_FEATURE_AVX512_VPOPCNTDQ (16 * 32 + 14)
#define X86_FEATURE_RDPID	     (16 * 32 + 22)
#define X86_FEATURE_AVX512_4VNNIW    (18 * 32 + 2)
#define X86_FEATURE_AVX512_4FMAPS    (18 * 32 + 3)

#define X86_VENDOR_INTEL 0
#define X86_VENDOR_AMD	 1
#define X86_VENDOR_MAX	 2

typedef struct {
	uint8_t x86_family;
	uint8_t x86_vendor; /* X86_VENDOR_* */
	uint8_t x86_model;
	uint8_t x86_mask; /* stepping */

	uint32_t x86_capability[NCAPINTS];

	uint32_t x86_power;
	uint32_t extended_cpuid_level;
	int cpuid_level;
	char x86_vendor_id[16];
	char x86_model_id[64];

	/* The extended state; sizes and offsets in bytes. */
	uint64_t xfeatures_mask; /* components that the kernel has switched on and programs may use */
	uint32_t xsave_size_max; /* of all components of the CPU */
	uint32_t xsave_size;	 /* of those switched on */
	uint32_t xstate_offsets[XFEATURE_MAX];
	uint32_t xstate_sizes[XFEATURE_MAX];
	uint32_t xsaves_size; /* the compacted form */
	uint32_t xstate_comp_offsets[XFEATURE_MAX];
	uint32_t xstate_comp_sizes[XFEATURE_MAX];
} compel_cpuinfo_t;

#endif
