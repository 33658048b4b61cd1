/* SPDX-License-Identifier: LGPL-2.1-only */
/* Bits of the processor state of aarch64: the kernel's own names, PSR_*. */
#ifndef COMPEL_ASM_PROCESSOR_FLAGS_H
#define COMPEL_ASM_PROCESSOR_FLAGS_H

#include <asm/ptrace.h>

#endif
