/* SPDX-License-Identifier: LGPL-2.1-only */
/* What CPUID says: who this CPU is, and its capabilities as 19 words in the order of the kernel's asm/cpufeatures.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ARCH_CPUID_WORDS 19

enum arch_cpuid_register { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

struct arch_cpuid {
	char vendor[13];
	char model_name[49]; /* without the blanks around it */
	uint32_t family, model, stepping;
	uint32_t capability[ARCH_CPUID_WORDS]; /* words that Linux makes up itself are 0 */
};

void arch_cpuid_read(struct arch_cpuid *ret);

/* One leaf; indices are enum arch_cpuid_register. False, and zeros, if the CPU does not have it. */
bool arch_cpuid_leaf(uint32_t leaf, uint32_t subleaf, uint32_t regs[4]);
