/* SPDX-License-Identifier: LGPL-2.1-only */
/* Breakpoints and watchpoints of aarch64: the kernel's struct user_hwdebug_state, without its first word. */
#include <asm/ptrace.h>
#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "arch_regs.h"
#include "base/fail.h"

#define SLOTS	16
#define ENABLED 1u /* in a control register */

enum { BREAK, WATCH, SETS };

static const long numbers[SETS] = { NT_ARM_HW_BREAK, NT_ARM_HW_WATCH };

struct breakpoints {
	struct user_hwdebug_state sets[SETS];
};

#define HEAD	  offsetof(struct user_hwdebug_state, dbg_regs)
#define SLOT_SIZE sizeof(((struct user_hwdebug_state *)0)->dbg_regs[0])

_Static_assert(sizeof(struct user_hwdebug_state) == HEAD + SLOTS * SLOT_SIZE, "");

/* The slots up to the last one that is in use. */
static int read_set(pid_t tid, long number, struct user_hwdebug_state *ret, unsigned *ret_used)
{
	struct iovec iov = { ret, sizeof(*ret) };

	memset(ret, 0, sizeof(*ret));
	*ret_used = 0;
	if (ptrace(PTRACE_GETREGSET, tid, number, &iov) < 0)
		return errno == EINVAL ? 0 : fail_errno("reading the breakpoints of thread %d", tid);
	for (unsigned i = 0; i < SLOTS; i++)
		if (ret->dbg_regs[i].ctrl & ENABLED)
			*ret_used = i + 1;
	return 0;
}

int arch_breakpoints_get(pid_t tid, struct pool *pool, uint8_t **ret, size_t *ret_size)
{
	struct breakpoints found;
	unsigned used[SETS];

	*ret = NULL;
	*ret_size = 0;
	for (int i = 0; i < SETS; i++)
		TRY(read_set(tid, numbers[i], &found.sets[i], &used[i]));
	if (!used[BREAK] && !used[WATCH])
		return 0;
	*ret = pool_copy(pool, &found, sizeof(found));
	*ret_size = sizeof(found);
	return 0;
}

int arch_breakpoints_check(size_t size)
{
	return size && size != sizeof(struct breakpoints)
		       ? refuse(EINVAL, "its breakpoints have %zu bytes: the image is damaged", size)
		       : 0;
}

int arch_breakpoints_set(pid_t tid, const uint8_t *data, size_t size)
{
	struct breakpoints wanted;

	memcpy(&wanted, data, sizeof(wanted));
	for (int i = 0; i < SETS; i++) {
		struct iovec iov = { &wanted.sets[i], HEAD };

		for (unsigned slot = 0; slot < SLOTS; slot++)
			if (wanted.sets[i].dbg_regs[slot].ctrl & ENABLED)
				iov.iov_len = HEAD + (slot + 1) * SLOT_SIZE;
		if (iov.iov_len > HEAD && ptrace(PTRACE_SETREGSET, tid, numbers[i], &iov) < 0)
			return fail_errno("setting the breakpoints of thread %d (does this CPU have as many?)", tid);
	}
	return 0;
}

bool arch_breakpoints_try(pid_t pid)
{
	/* Of a program (PMC 0b10), four bytes of an instruction: Arm ARM, DBGBCR<n>_EL1. */
	struct user_hwdebug_state wanted = { .dbg_regs = { { (uint64_t)pid << 12, ENABLED | 2 << 1 | 0xf << 5 } } };
	struct iovec iov = { &wanted, HEAD + SLOT_SIZE };

	return ptrace(PTRACE_SETREGSET, pid, numbers[BREAK], &iov) == 0;
}
