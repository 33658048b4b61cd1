/* SPDX-License-Identifier: LGPL-2.1-only */
/* x86-64 registers in the form that libcompel hands out; breakpoints; thread areas. */
#include <compel/infect.h>
#include <compel/ptrace.h>
#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "arch_state.h"
#include "lib/compel/public/ctl.h"
#include "lib/compel/public/extra.h"

_Static_assert(sizeof(user_regs_struct64) == sizeof(struct user_regs_struct), "in the same order");
_Static_assert(sizeof(user_regs_struct_t) == 224 && offsetof(user_regs_struct_t, __is_native) == 216, "");
_Static_assert(sizeof(user_regs_struct32) == 68, "");
_Static_assert(sizeof(user_fpregs_struct_t) == 16384, "");

void ctl_arch_get_regs(const struct arch_thread_state *state, user_regs_struct_t *regs, user_fpregs_struct_t *fpregs)
{
	memset(regs, 0, sizeof(*regs));
	memcpy(&regs->native, &state->general, sizeof(regs->native));
	regs->__is_native = NATIVE_MAGIC;
	memset(fpregs, 0, sizeof(*fpregs));
	memcpy(fpregs, state->xstate, state->xstate_size < sizeof(*fpregs) ? state->xstate_size : sizeof(*fpregs));
}

int ptrace_get_regs(pid_t pid, user_regs_struct_t *regs)
{
	struct iovec iov = { &regs->native, sizeof(regs->native) };

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov) < 0)
		return -1;
	regs->__is_native = iov.iov_len == sizeof(regs->native) ? NATIVE_MAGIC : COMPAT_MAGIC;
	return 0;
}

int ptrace_set_regs(pid_t pid, user_regs_struct_t *regs)
{
	struct iovec iov = { &regs->native, user_regs_native(regs) ? sizeof(regs->native) : sizeof(regs->compat) };

	return ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov) < 0 ? -1 : 0;
}

/* 47 bits but for the last page, asm/page_64_types.h; more only for those who ask for it. */
unsigned long compel_task_size(void)
{
	return 0x7ffffffff000;
}

#define DEBUG_REGISTER(n) offsetof(struct user, u_debugreg[n])

int ptrace_set_breakpoint(pid_t pid, void *addr)
{
	/* Length 1, on execution, in register 0: Intel SDM volume 3, chapter 18. */
	if (ptrace(PTRACE_POKEUSER, pid, DEBUG_REGISTER(0), addr) < 0 ||
	    ptrace(PTRACE_POKEUSER, pid, DEBUG_REGISTER(7), 1l) < 0)
		return errno == ESRCH ? -1 : 0;
	return ptrace(PTRACE_CONT, pid, NULL, NULL) < 0 ? -1 : 1;
}

int ptrace_flush_breakpoints(pid_t pid)
{
	if (ptrace(PTRACE_POKEUSER, pid, DEBUG_REGISTER(7), 0l) < 0 ||
	    ptrace(PTRACE_POKEUSER, pid, DEBUG_REGISTER(0), 0l) < 0)
		return -1;
	return 0;
}

int ctl_arch_read_tls(pid_t tid, tls_t *ret)
{
	for (int i = 0; i < GDT_ENTRY_TLS_ENTRIES; i++) {
		long entry = GDT_ENTRY_TLS_MIN + i;

		memset(&ret->desc[i], 0, sizeof(ret->desc[i]));
		if (ptrace(PTRACE_GET_THREAD_AREA, tid, (void *)entry, &ret->desc[i]) == 0)
			continue;
		if (errno == ESRCH)
			return -errno;
		/* A kernel without 32-bit programs has none. */
		ret->desc[i].entry_number = (unsigned)entry;
		ret->desc[i].seg_not_present = 1;
	}
	return 0;
}
