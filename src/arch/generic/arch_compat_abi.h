/* SPDX-License-Identifier: LGPL-2.1-only */
/* A CPU without 32-bit programs, or whose 32-bit programs are refused: arch_core_is_compat() is never true. */
#pragma once

#include <errno.h>
#include <stdint.h>
#include <sys/types.h>

#define ARCH_COMPAT_RT_SIGACTION    0
#define ARCH_COMPAT_SET_ROBUST_LIST 0
#define ARCH_COMPAT_ROBUST_LENGTH   12
#define ARCH_COMPAT_VDSO_CALL	    0
#define ARCH_COMPAT_VDSO_CODE	    0

static inline int arch_compat_get_robust_list(pid_t tid, uint64_t *ret_head, uint32_t *ret_length)
{
	(void)tid;
	*ret_head = *ret_length = 0;
	return -ENOSYS;
}
