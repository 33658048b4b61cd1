/* SPDX-License-Identifier: LGPL-2.1-only */
/* A CPU on which what src/kern/probe-*.c asks for has no meaning. */
#pragma once

#include <errno.h>

static inline int arch_can_map_vdso(void)
{
	return -ENOENT;
}

static inline int arch_can_map_compat_vdso(void)
{
	return -ENOENT;
}

static inline int arch_has_io_ports(void)
{
	return 0;
}
