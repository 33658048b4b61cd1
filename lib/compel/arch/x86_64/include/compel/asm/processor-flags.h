/* SPDX-License-Identifier: LGPL-2.1-only */
/* Bits of the flags and control registers of x86: the kernel's own names. */
#ifndef COMPEL_ASM_PROCESSOR_FLAGS_H
#define COMPEL_ASM_PROCESSOR_FLAGS_H

#include <asm/processor-flags.h>

#endif
