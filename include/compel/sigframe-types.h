/* SPDX-License-Identifier: LGPL-2.1-only */
/* What the signal frames of all CPUs have in common: the kernel's siginfo_t and stack_t. */
#ifndef COMPEL_SIGFRAME_TYPES_H
#define COMPEL_SIGFRAME_TYPES_H

#include <compel/ksigset.h>
#include <stdint.h>

typedef struct rt_siginfo {
	int si_signo;
	int si_errno;
	int si_code;
	int _pad[128 / sizeof(int) - 3];
} rt_siginfo_t;

typedef struct rt_sigaltstack {
	uint64_t ss_sp;
	int ss_flags;
	uint64_t ss_size;
} rt_stack_t;

#endif
