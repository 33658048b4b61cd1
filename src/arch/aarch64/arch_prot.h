/* SPDX-License-Identifier: LGPL-2.1-only */
/* Protections that only this CPU has, asm/mman.h. */
#pragma once

#define ARCH_PROT_GUARDED 0x10 /* PROT_BTI: jumps into that code must end at landing pads. "bt" in smaps. */
