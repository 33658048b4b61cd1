/* SPDX-License-Identifier: LGPL-2.1-only */
/* Hardware breakpoints. */
#ifndef COMPEL_ASM_BREAKPOINTS_H
#define COMPEL_ASM_BREAKPOINTS_H

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The stopped tracee stops with SIGTRAP before it executes the instruction at addr. 1: set, and the tracee runs; 0:
 * there are no breakpoints here (some virtual machines), it stands; -1 with errno.
 */
int ptrace_set_breakpoint(pid_t pid, void *addr);
/* Takes the breakpoint of the stopped tracee away. 0, or -1 with errno. */
int ptrace_flush_breakpoints(pid_t pid);

#ifdef __cplusplus
}
#endif

#endif
