/* SPDX-License-Identifier: LGPL-2.1-only */
/* CPUs of which no properties are recorded. */
#include "arch_cpu.h"

#include "base/fail.h"
#include "base/pool.h"

void arch_cpu_describe(struct pool *pool, CpuinfoEntry **ret)
{
	*ret = pool_new(pool, CpuinfoEntry);
	cpuinfo_entry__init(*ret);
}

int arch_cpu_compare(const CpuinfoEntry *image, const CpuinfoEntry *host, unsigned mode)
{
	if (image->n_x86_entry || image->n_ppc64_entry || image->n_s390_entry)
		return refuse(EOPNOTSUPP, "the images come from another CPU architecture");
	return 0;
}

uint64_t arch_cpu_state_of(const CoreEntry *core)
{
	return 0;
}

void arch_cpu_print_state(uint64_t components, char *to, size_t capacity)
{
	to[0] = '\0';
}

const char *arch_cpu_model(const CpuinfoEntry *image)
{
	return NULL;
}
