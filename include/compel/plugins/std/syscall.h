/* SPDX-License-Identifier: LGPL-2.1-only */
/* System calls for parasites: sys_X() returns what the kernel returns, -errno for an error. */
#ifndef COMPEL_PLUGIN_STD_SYSCALL_H
#define COMPEL_PLUGIN_STD_SYSCALL_H

#include <compel/plugins/std/syscall-64.h>
#include <compel/plugins/std/syscall-codes.h>
#include <compel/plugins/std/syscall-types.h>

#endif
