/* SPDX-License-Identifier: LGPL-2.1-only */
/* Questions to the description of this CPU, which arch/ makes and alone understands. */
#include "lib/compel/public/cpu.h"

#include <pthread.h>

#include "lib/compel/public/extra.h"

/* Read once; the interface wants that features can be taken out of it. */
static compel_cpuinfo_t the_cpu;

static void read_once(void)
{
	compel_cpuid(&the_cpu);
}

compel_cpuinfo_t *cpu_known(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_once);
	return &the_cpu;
}

bool compel_cpu_has_feature(unsigned int feature)
{
	return compel_test_cpu_cap(cpu_known(), feature);
}

bool compel_fpu_has_feature(unsigned int feature)
{
	return compel_test_fpu_cap(cpu_known(), feature);
}

void compel_cpu_clear_feature(unsigned int feature)
{
	compel_clear_cpu_cap(cpu_known(), feature);
}

void compel_cpu_copy_cpuinfo(compel_cpuinfo_t *info)
{
	*info = *cpu_known();
}
