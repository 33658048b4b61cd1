/* SPDX-License-Identifier: GPL-2.0-only */
/* The word that the kernel clears when a thread ends, see set_tid_address(2). */
#include <sys/prctl.h>

#include "arch_regs.h"
#include "base/fail.h"
#include "object/task/part.h"
#include "plan/plan.h"

extern const struct task_part tid_address_part;

static int ask_tid_address(struct dump *d, struct thread *thread, struct plan *plan)
{
	size_t *offset = part_offsets(d, thread, &tid_address_part, 1);

	*offset = plan_space(plan, sizeof(uint64_t));
	plan_syscall(plan, "read the tid address", __NR_prctl, V(PR_GET_TID_ADDRESS), D(*offset), V(0), V(0), V(0));
	return 0;
}

/* It lies in the record of the registers, which is filled before. */
static int answer_tid_address(struct dump *d, struct thread *thread)
{
	const uint64_t *address = remote_result(thread->remote, *part_offsets(d, thread, &tid_address_part, 1));

	*arch_core_tid_address(thread->core) = *address;
	return 0;
}

static int told_tid_address(struct dump *d, struct thread *thread)
{
	*arch_core_tid_address(thread->core) = thread->dump->own->tid_address;
	return 0;
}

static int plan_tid_address(struct restore *r, struct thread *thread, struct plan *plan)
{
	plan_syscall(plan, "set the tid address", __NR_set_tid_address, P(*arch_core_tid_address(thread->core)));
	return 0;
}

const struct task_part tid_address_part = {
	.name = "tid-address",
	.ask = ask_tid_address,
	.answer = answer_tid_address,
	.told = told_tid_address,
	.plan = plan_tid_address,
};
