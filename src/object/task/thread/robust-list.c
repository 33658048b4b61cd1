/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of robust mutexes that a thread holds, see get_robust_list(2); the list itself lies in the program's memory.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch_compat_abi.h"
#include "arch_regs.h"
#include "base/fail.h"
#include "object/task/part.h"
#include "plan/plan.h"

/* The only length that the kernel accepts: sizeof(struct robust_list_head). */
#define ROBUST_LIST_LENGTH 24

static int dump_robust_list(const struct dump *d, struct thread *thread)
{
	ThreadCoreEntry *record = thread->core->thread_core;
	uint64_t head = 0;
	size_t length = 0;
	int error;

	if (arch_core_is_compat(thread->core)) {
		error = arch_compat_get_robust_list(thread->tid, &record->futex_rla, &record->futex_rla_len);
		return error < 0 ? fail(-error, "get_robust_list of a 32-bit program") : 0;
	}
	if (syscall(__NR_get_robust_list, thread->tid, &head, &length) < 0)
		return fail_errno("asking for the list of robust futexes (get_robust_list)");
	record->futex_rla = head;
	record->futex_rla_len = (uint32_t)length;
	return 0;
}

static int check_robust_list(const struct restore *r, struct thread *thread)
{
	const ThreadCoreEntry *record = thread->core->thread_core;
	unsigned length = arch_core_is_compat(thread->core) ? ARCH_COMPAT_ROBUST_LENGTH : ROBUST_LIST_LENGTH;

	if (record->futex_rla_len && record->futex_rla_len != length)
		return refuse(EINVAL, "the head of the robust list has %u bytes, not %u: the image is damaged",
			      record->futex_rla_len, length);
	return 0;
}

static int plan_robust_list(struct restore *r, struct thread *thread, struct plan *plan)
{
	const ThreadCoreEntry *record = thread->core->thread_core;

	if (arch_core_is_compat(thread->core))
		plan_compat_syscall(plan, "set the robust list of a 32-bit program", ARCH_COMPAT_SET_ROBUST_LIST,
				    P(record->futex_rla), V(ARCH_COMPAT_ROBUST_LENGTH));
	else
		plan_syscall(plan, "set the robust list", __NR_set_robust_list, P(record->futex_rla),
			     V(ROBUST_LIST_LENGTH));
	return 0;
}

const struct task_part robust_list_part = {
	.name = "robust-list",
	.outside = dump_robust_list,
	.check = check_robust_list,
	.plan = plan_robust_list,
};
