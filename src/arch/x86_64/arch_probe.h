/* SPDX-License-Identifier: LGPL-2.1-only */
/* What the kernel can do for this CPU, for src/kern/probe-*.c. All return 1 or 0. */
#pragma once

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* We have a vDSO already, so a kernel that knows the request answers EEXIST. */
static inline int arch_knows_map_vdso(int request)
{
	return syscall(SYS_arch_prctl, request, 0) >= 0 || errno == EEXIST;
}

static inline int arch_can_map_vdso(void)
{
	return arch_knows_map_vdso(0x2003); /* ARCH_MAP_VDSO_64 */
}

static inline int arch_can_map_compat_vdso(void)
{
	return arch_knows_map_vdso(0x2002); /* ARCH_MAP_VDSO_32 */
}

/* The lowest level is everybody's: to ask for it changes nothing. */
static inline int arch_has_io_ports(void)
{
	return syscall(SYS_iopl, 0) == 0;
}
