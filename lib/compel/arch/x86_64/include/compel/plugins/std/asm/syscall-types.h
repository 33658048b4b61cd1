/* SPDX-License-Identifier: LGPL-2.1-only */
/* What x86 has of its own among the types of system calls. */
#ifndef COMPEL_PLUGIN_STD_ASM_SYSCALL_TYPES_H
#define COMPEL_PLUGIN_STD_ASM_SYSCALL_TYPES_H

#include <asm/ldt.h>
#include <compel/plugins/std/sigaction-types.h>

typedef struct user_desc user_desc_t;

#endif
