/* SPDX-License-Identifier: LGPL-2.1-only */
/* What this CPU can do. */
#ifndef COMPEL_CPU_H
#define COMPEL_CPU_H

#include <compel/asm/cpu.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Asks the CPU afresh. 0, or -1 if it cannot be asked. */
int compel_cpuid(compel_cpuinfo_t *info);

/*
 * These look at what the library read when it was asked first. feature: a number of <compel/asm/cpu.h>; of the fpu
 * functions: a component of the extended state, XFEATURE_*. size and offset: bytes in the standard form of the XSAVE
 * area, 0 if there is none.
 */
bool compel_cpu_has_feature(unsigned int feature);
bool compel_fpu_has_feature(unsigned int feature);
uint32_t compel_fpu_feature_size(unsigned int feature);
uint32_t compel_fpu_feature_offset(unsigned int feature);
/* From now on compel_cpu_has_feature() says no. */
void compel_cpu_clear_feature(unsigned int feature);
void compel_cpu_copy_cpuinfo(compel_cpuinfo_t *info);

#ifdef __cplusplus
}
#endif

#endif
