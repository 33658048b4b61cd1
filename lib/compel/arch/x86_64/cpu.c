/* SPDX-License-Identifier: LGPL-2.1-only */
/* compel_cpuid() and what follows from it. */
#include <compel/cpu.h>
#include <stddef.h>
#include <string.h>

#include "arch_cpuid.h"
#include "lib/compel/public/cpu.h"
#include "lib/compel/public/extra.h"

_Static_assert(sizeof(compel_cpuinfo_t) == 376 && offsetof(compel_cpuinfo_t, x86_power) == 80 &&
		       offsetof(compel_cpuinfo_t, xfeatures_mask) == 176 &&
		       offsetof(compel_cpuinfo_t, xsaves_size) == 280,
	       "");

#define LEGACY_SIZE 576 /* FXSAVE image and XSAVE header */

static uint32_t word_of(uint32_t leaf, uint32_t subleaf, enum arch_cpuid_register reg)
{
	uint32_t regs[4];

	arch_cpuid_leaf(leaf, subleaf, regs);
	return regs[reg];
}

/* Where x87 and SSE lie is not told by CPUID: Intel SDM volume 1, section 13.4. */
static void read_component(compel_cpuinfo_t *info, unsigned i, uint32_t *at)
{
	static const uint32_t legacy_offsets[] = { 0, 160 }, legacy_sizes[] = { 160, 256 };
	uint32_t regs[4];

	if (i < 2) {
		info->xstate_offsets[i] = info->xstate_comp_offsets[i] = legacy_offsets[i];
		info->xstate_sizes[i] = info->xstate_comp_sizes[i] = legacy_sizes[i];
		return;
	}
	arch_cpuid_leaf(0xd, i, regs);
	info->xstate_sizes[i] = regs[CPUID_EAX];
	info->xstate_offsets[i] = regs[CPUID_ECX] & 1 ? 0 : regs[CPUID_EBX]; /* not in the standard form */
	if (regs[CPUID_ECX] & 2)
		*at = (*at + 63) & ~63u;
	info->xstate_comp_offsets[i] = *at;
	info->xstate_comp_sizes[i] = regs[CPUID_EAX];
	*at += regs[CPUID_EAX];
}

static void read_xsave(compel_cpuinfo_t *info)
{
	uint32_t regs[4], at = LEGACY_SIZE;

	if (!arch_cpuid_leaf(0xd, 0, regs))
		return;
	info->xfeatures_mask = ((uint64_t)regs[CPUID_EDX] << 32 | regs[CPUID_EAX]) & ((1ull << XFEATURE_MAX) - 1);
	info->xsave_size = regs[CPUID_EBX];
	info->xsave_size_max = regs[CPUID_ECX];
	for (unsigned i = 0; i < XFEATURE_MAX; i++)
		if (info->xfeatures_mask & 1ull << i)
			read_component(info, i, &at);
	info->xsaves_size = word_of(0xd, 1, CPUID_EBX);
}

int compel_cpuid(compel_cpuinfo_t *info)
{
	struct arch_cpuid cpu;

	memset(info, 0, sizeof(*info));
	arch_cpuid_read(&cpu);
	info->x86_family = (uint8_t)cpu.family;
	info->x86_model = (uint8_t)cpu.model;
	info->x86_mask = (uint8_t)cpu.stepping;
	memcpy(info->x86_vendor_id, cpu.vendor, sizeof(cpu.vendor));
	memcpy(info->x86_model_id, cpu.model_name, sizeof(cpu.model_name));
	memcpy(info->x86_capability, cpu.capability, sizeof(cpu.capability));
	if (strcmp(cpu.vendor, "GenuineIntel") == 0)
		info->x86_vendor = X86_VENDOR_INTEL;
	else
		info->x86_vendor = strcmp(cpu.vendor, "AuthenticAMD") == 0 ? X86_VENDOR_AMD : X86_VENDOR_MAX;
	info->cpuid_level = (int)word_of(0, 0, CPUID_EAX);
	info->extended_cpuid_level = word_of(0x80000000, 0, CPUID_EAX);
	info->x86_power = word_of(0x80000007, 0, CPUID_EDX);
	read_xsave(info);
	return 0;
}

void compel_set_cpu_cap(compel_cpuinfo_t *info, unsigned int feature)
{
	if (feature < NCAPINTS_BITS)
		info->x86_capability[feature / 32] |= 1u << feature % 32;
}

void compel_clear_cpu_cap(compel_cpuinfo_t *info, unsigned int feature)
{
	if (feature < NCAPINTS_BITS)
		info->x86_capability[feature / 32] &= ~(1u << feature % 32);
}

int compel_test_cpu_cap(compel_cpuinfo_t *info, unsigned int feature)
{
	return feature < NCAPINTS_BITS && info->x86_capability[feature / 32] >> feature % 32 & 1;
}

int compel_test_fpu_cap(compel_cpuinfo_t *info, unsigned int feature)
{
	return feature < XFEATURE_MAX && info->xfeatures_mask >> feature & 1;
}

uint32_t compel_fpu_feature_size(unsigned int feature)
{
	return feature < XFEATURE_MAX ? cpu_known()->xstate_sizes[feature] : 0;
}

uint32_t compel_fpu_feature_offset(unsigned int feature)
{
	return feature < XFEATURE_MAX ? cpu_known()->xstate_offsets[feature] : 0;
}
