/* SPDX-License-Identifier: LGPL-2.1-only */
/* Leaves the program for the blob. */
#pragma once

#include <stdint.h>

static inline void __attribute__((noreturn)) arch_jump(uint64_t entry, uint64_t slot, uint64_t stack_top)
{
	__asm__ volatile("mov %[stack], %%rsp\n\t"
			 "jmp *%[entry]"
			 :
			 : [entry] "r"(entry), [stack] "r"(stack_top), "D"(slot)
			 : "memory");
	__builtin_unreachable();
}
