/* SPDX-License-Identifier: LGPL-2.1-only */
/* The debug registers of x86: Intel SDM volume 3, chapter 18. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "arch_regs.h"
#include "base/fail.h"

#define ADDRESSES 4
#define CONTROL	  7
#define ENABLED	  0xff /* in the control register: two bits for each address */

/* In the order in which they are set: the last one switches them on. */
struct breakpoints {
	uint64_t address[ADDRESSES], control;
};

static int read_register(pid_t tid, unsigned number, uint64_t *ret)
{
	errno = 0;
	*ret = (uint64_t)ptrace(PTRACE_PEEKUSER, tid, offsetof(struct user, u_debugreg[number]), NULL);
	return errno ? fail_errno("reading a debug register of thread %d", tid) : 0;
}

static int write_register(pid_t tid, unsigned number, uint64_t value)
{
	if (ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, u_debugreg[number]), value) < 0)
		return fail_errno("setting debug register %u of thread %d to 0x%llx", number, tid,
				  (unsigned long long)value);
	return 0;
}

int arch_breakpoints_get(pid_t tid, struct pool *pool, uint8_t **ret, size_t *ret_size)
{
	struct breakpoints found;

	*ret = NULL;
	*ret_size = 0;
	TRY(read_register(tid, CONTROL, &found.control));
	if (!(found.control & ENABLED))
		return 0;
	for (unsigned i = 0; i < ADDRESSES; i++)
		TRY(read_register(tid, i, &found.address[i]));
	*ret = pool_copy(pool, &found, sizeof(found));
	*ret_size = sizeof(found);
	return 0;
}

int arch_breakpoints_check(size_t size)
{
	return size && size != sizeof(struct breakpoints)
		       ? refuse(EINVAL, "its debug registers have %zu bytes: the image is damaged", size)
		       : 0;
}

int arch_breakpoints_set(pid_t tid, const uint8_t *data, size_t size)
{
	struct breakpoints wanted;

	memcpy(&wanted, data, sizeof(wanted));
	for (unsigned i = 0; i < ADDRESSES; i++)
		TRY(write_register(tid, i, wanted.address[i]));
	return write_register(tid, CONTROL, wanted.control);
}

bool arch_breakpoints_try(pid_t pid)
{
	const size_t address = offsetof(struct user, u_debugreg[0]),
		     control = offsetof(struct user, u_debugreg[CONTROL]);

	/* Length 1, on execution, in register 0. */
	return ptrace(PTRACE_POKEUSER, pid, address, (long)pid << 12) == 0 &&
	       ptrace(PTRACE_POKEUSER, pid, control, 1L) == 0;
}
