/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * All that a parasite has: it is C code without libc that runs inside of another process, in a thread of that process.
 *
 *	cc $(compel cflags) -c parasite.c
 *	ld $(compel ldflags) -o parasite.po parasite.o $(compel plugins)
 *	compel -f parasite.po -o parasite.h hgen
 *
 * There are no threads of its own, no errno, no stack protector; its stack has 16 KiB (PARASITE_STACK_SIZE). All
 * signals are blocked. It may use any register.
 */
#ifndef COMPEL_PLUGIN_STD_H
#define COMPEL_PLUGIN_STD_H

#include <compel/plugins.h>
#include <compel/plugins/std/fds.h>
#include <compel/plugins/std/infect.h>
#include <compel/plugins/std/log.h>
#include <compel/plugins/std/string.h>
#include <compel/plugins/std/syscall.h>

#endif
