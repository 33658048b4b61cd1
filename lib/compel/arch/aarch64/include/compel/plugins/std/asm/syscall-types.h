/* SPDX-License-Identifier: LGPL-2.1-only */
/* What aarch64 has of its own among the types of system calls. */
#ifndef COMPEL_PLUGIN_STD_ASM_SYSCALL_TYPES_H
#define COMPEL_PLUGIN_STD_ASM_SYSCALL_TYPES_H

#include <compel/plugins/std/sigaction-types.h>

#endif
