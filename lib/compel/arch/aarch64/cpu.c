/* SPDX-License-Identifier: LGPL-2.1-only */
/* compel_cpuid() and what follows from it: what the kernel tells programs of the CPU, getauxval(3). */
#include <compel/cpu.h>
#include <sys/auxv.h>

#include "lib/compel/public/extra.h"

int compel_cpuid(compel_cpuinfo_t *info)
{
	*info = (compel_cpuinfo_t){ { getauxval(AT_HWCAP), getauxval(AT_HWCAP2) } };
	return 0;
}

void compel_set_cpu_cap(compel_cpuinfo_t *info, unsigned int feature)
{
	if (feature < NCAPINTS_BITS)
		info->hwcap[feature / 64] |= 1ul << feature % 64;
}

void compel_clear_cpu_cap(compel_cpuinfo_t *info, unsigned int feature)
{
	if (feature < NCAPINTS_BITS)
		info->hwcap[feature / 64] &= ~(1ul << feature % 64);
}

int compel_test_cpu_cap(compel_cpuinfo_t *info, unsigned int feature)
{
	return feature < NCAPINTS_BITS && info->hwcap[feature / 64] >> feature % 64 & 1;
}

/* The layout of the registers does not depend on the CPU. */
int compel_test_fpu_cap(compel_cpuinfo_t *info, unsigned int feature)
{
	return 0;
}

uint32_t compel_fpu_feature_size(unsigned int feature)
{
	return 0;
}

uint32_t compel_fpu_feature_offset(unsigned int feature)
{
	return 0;
}
