/* SPDX-License-Identifier: LGPL-2.1-only */
/* Leaves the program for the blob. */
#pragma once

#include <stdint.h>

static inline void __attribute__((noreturn)) arch_jump(uint64_t entry, uint64_t slot, uint64_t stack_top)
{
	register uint64_t x0 __asm__("x0") = slot;

	__asm__ volatile("mov sp, %[stack]\n\t"
			 "br %[entry]"
			 :
			 : [entry] "r"(entry), [stack] "r"(stack_top), "r"(x0)
			 : "memory");
	__builtin_unreachable();
}
