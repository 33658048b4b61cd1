/* SPDX-License-Identifier: LGPL-2.1-only */
/* Threads in 32-bit mode (ia32) on a 64-bit kernel; inside of arch/x86_64 only. */
#pragma once

#include <asm/ldt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

/* Code segments, asm/segment.h; that of Xen stands for 64-bit mode as well. */
#define CS_32	  0x23
#define CS_64	  0x33
#define CS_64_XEN 0xe033

#define TLS_ENTRIES 3  /* of the GDT, that set_thread_area(2) sets */
#define TLS_FIRST   12 /* GDT_ENTRY_TLS_MIN */

/* The kernel knows a thread in 32-bit mode by its code segment only (user_64bit_mode() in asm/ptrace.h). */
static inline bool regs_are_compat(const struct user_regs_struct *regs)
{
	return regs->cs != CS_64 && regs->cs != CS_64_XEN;
}

/* Calls by their numbers in 32-bit programs, asm/unistd_32.h. */
enum {
	IA32_RESTART_SYSCALL = 0,
	IA32_NANOSLEEP = 162,
	IA32_POLL = 168,
	IA32_FUTEX = 240,
	IA32_CLOCK_NANOSLEEP = 267,
	IA32_CLOCK_NANOSLEEP_TIME64 = 407,
	IA32_FUTEX_TIME64 = 422,
};

/* The call of x86-64 that does the same, also for calls by socketcall(2) and ipc(2); -1: none that matters here. */
int64_t compat_native_call(const struct user_regs_struct *regs, int64_t nr);
/* Number and arguments of the registers for a call that we make in a thread in 32-bit mode. */
int compat_set_call(struct user_regs_struct *regs, long native, const uint64_t args[6]);
/* The number of an interrupted call whose number has become that of restart_syscall(2): it stands in the program. -1:
 * not found. */
int64_t compat_number_from_code(pid_t pid, const struct user_regs_struct *regs);
/* Whether the thread makes a system call as its next instruction. */
bool compat_stands_before_call(pid_t pid, const struct user_regs_struct *regs);

/* The descriptors of set_thread_area(2). */
int compat_read_tls(pid_t tid, struct user_desc tls[TLS_ENTRIES]);
int compat_write_tls(pid_t tid, const struct user_desc tls[TLS_ENTRIES]);

struct arch_thread_state;

/* As arch_remote_prepare() for a call by its number in 32-bit programs: the kernel takes it up again as one of these.
 * The blob makes it, by the instruction behind the given one. */
int compat_remote_prepare(pid_t tid, const struct arch_thread_state *home, uint64_t instruction, uint64_t sp, long nr,
			  const uint64_t args[6]);

/* As arch_frame_write(), for sigreturn in 32-bit mode. frame: over there, what lies at to; the stack pointer with which
 * rt_sigreturn(2) is to be called is 4 more. */
void compat_frame_write(const struct arch_thread_state *state, uint64_t sigmask, void *to, uint64_t frame);
size_t compat_frame_size(const struct arch_thread_state *state);
