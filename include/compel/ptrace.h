/* SPDX-License-Identifier: LGPL-2.1-only */
/* Small things that ptrace(2) does to a stopped tracee of the caller. */
#ifndef COMPEL_PTRACE_H
#define COMPEL_PTRACE_H

#include <compel/asm/breakpoints.h>
#include <linux/types.h>
#include <sys/ptrace.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef PTRACE_O_SUSPEND_SECCOMP
#define PTRACE_O_SUSPEND_SECCOMP (1 << 21)
#endif

/*
 * Switches the seccomp filters of the thread off for as long as it is traced by the caller. Linux 4.3; needs
 * CAP_SYS_ADMIN. Replaces the other ptrace options by those the library uses. 0, or -1 with errno.
 */
int ptrace_suspend_seccomp(pid_t pid);

/*
 * Memory of the tracee. bytes: a multiple of sizeof(long), else -1. 0, or -errno: EIO or EFAULT where nothing is
 * mapped; like a debugger these write to areas without write permission, too. swap exchanges the contents of dst
 * (there) and src (here).
 */
int ptrace_peek_area(pid_t pid, void *dst, void *addr, long bytes);
int ptrace_poke_area(pid_t pid, void *src, void *addr, long bytes);
int ptrace_swap_area(pid_t pid, void *dst, void *src, long bytes);

#ifdef __cplusplus
}
#endif

#endif
