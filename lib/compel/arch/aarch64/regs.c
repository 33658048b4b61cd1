/* SPDX-License-Identifier: LGPL-2.1-only */
/* aarch64 registers in the form that libcompel hands out; breakpoints; the thread pointer. */
#include <compel/infect.h>
#include <compel/ptrace.h>
#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "arch_regs.h"
#include "arch_state.h"
#include "lib/compel/public/ctl.h"
#include "lib/compel/public/extra.h"

_Static_assert(sizeof(user_regs_struct_t) == sizeof(struct user_pt_regs), "in the same order");
_Static_assert(sizeof(user_fpregs_struct_t) == sizeof(struct user_fpsimd_state), "in the same order");

void ctl_arch_get_regs(const struct arch_thread_state *state, user_regs_struct_t *regs, user_fpregs_struct_t *fpregs)
{
	memcpy(regs, &state->general, sizeof(*regs));
	memcpy(fpregs, &state->fpsimd, sizeof(*fpregs));
}

int ptrace_get_regs(pid_t pid, user_regs_struct_t *regs)
{
	struct iovec iov = { regs, sizeof(*regs) };

	return ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov) < 0 ? -1 : 0;
}

int ptrace_set_regs(pid_t pid, user_regs_struct_t *regs)
{
	struct iovec iov = { regs, sizeof(*regs) };

	return ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov) < 0 ? -1 : 0;
}

unsigned long compel_task_size(void)
{
	return arch_address_limit(false);
}

/* Arm ARM, DBGBCR: enabled, for user code (bits 1 and 2), all four bytes of the instruction (bits 5 to 8). */
#define BREAK_HERE (1u | 2u << 1 | 0xfu << 5)

static int set_breakpoint(pid_t pid, void *addr, uint32_t control)
{
	struct user_hwdebug_state state = { 0 };
	struct iovec iov = { &state, offsetof(struct user_hwdebug_state, dbg_regs) + sizeof(state.dbg_regs[0]) };

	state.dbg_regs[0].addr = (uint64_t)addr;
	state.dbg_regs[0].ctrl = control;
	return ptrace(PTRACE_SETREGSET, pid, (long)NT_ARM_HW_BREAK, &iov) < 0 ? -errno : 0;
}

int ptrace_set_breakpoint(pid_t pid, void *addr)
{
	int error = set_breakpoint(pid, addr, BREAK_HERE);

	if (error < 0)
		return error == -ESRCH ? -1 : 0;
	return ptrace(PTRACE_CONT, pid, NULL, NULL) < 0 ? -1 : 1;
}

int ptrace_flush_breakpoints(pid_t pid)
{
	int error = set_breakpoint(pid, NULL, 0);

	errno = -error;
	return error < 0 ? -1 : 0;
}

int ctl_arch_read_tls(pid_t tid, tls_t *ret)
{
	uint64_t pointers[2]; /* TPIDR_EL0, with SME also TPIDR2_EL0 */
	struct iovec iov = { pointers, sizeof(pointers) };

	if (ptrace(PTRACE_GETREGSET, tid, (long)SET_TLS, &iov) < 0)
		return -errno;
	*ret = pointers[0];
	return 0;
}
