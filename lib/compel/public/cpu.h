/* SPDX-License-Identifier: LGPL-2.1-only */
/* The CPU that compel_cpuid() of arch/ has described once. */
#pragma once

#include <compel/cpu.h>

compel_cpuinfo_t *cpu_known(void);
