/* SPDX-License-Identifier: LGPL-2.1-only */
/* What this CPU can do, as it stands in cpuinfo.img, and whether it can run what ran on another one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core.pb-c.h"
#include "cpuinfo.pb-c.h"

struct pool;

/* How much must be alike; they add up. */
enum arch_cpu_mode {
	ARCH_CPU_FPU = 1, /* the extended state: same layout, no component missing */
	ARCH_CPU_ALL = 2, /* every capability */
	ARCH_CPU_INS = 4, /* no instruction set missing */
};

/* The record of this CPU, in pool. */
void arch_cpu_describe(struct pool *pool, CpuinfoEntry **ret);

/* Returns 0, or -errno after refuse(): -EINVAL for a record that makes no sense, -EOPNOTSUPP for CPUs that don't fit.
 */
int arch_cpu_compare(const CpuinfoEntry *image, const CpuinfoEntry *host, unsigned mode);

/* Which components of the extended state hold something in the record of a thread, one bit each; and their names, "sse
 * avx". */
uint64_t arch_cpu_state_of(const CoreEntry *core);
void arch_cpu_print_state(uint64_t components, char *to, size_t capacity);
/* "Intel(R) Xeon(R) ...", or NULL if the record does not say. */
const char *arch_cpu_model(const CpuinfoEntry *image);
