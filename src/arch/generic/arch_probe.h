/* SPDX-License-Identifier: LGPL-2.1-only */
/* A CPU without the features that src/kern/probe-*.c asks for. */
#pragma once

#include <sys/types.h>

static inline int arch_can_map_vdso(void)
{
	return 0;
}

static inline int arch_can_map_compat_vdso(void)
{
	return 0;
}

static inline int arch_can_set_breakpoint(pid_t pid)
{
	return 0;
}
