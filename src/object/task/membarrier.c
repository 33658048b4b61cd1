/* SPDX-License-Identifier: GPL-2.0-only */
/* For which kinds of memory barriers a process has registered, see membarrier(2). */
#include <linux/membarrier.h>

#include "base/fail.h"
#include "object/task/part.h"

#define GET_REGISTRATIONS (1 << 9) /* MEMBARRIER_CMD_GET_REGISTRATIONS, Linux 6.3 */
#define REGISTRATIONS                                                                           \
	(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ)

extern const struct task_part membarrier_part;

static int ask_membarrier(struct dump *d, struct thread *thread, struct plan *plan)
{
	struct step *step;

	if (thread != thread->task->leader)
		return 0;
	step = plan_syscall(plan, "read the membarrier registrations", __NR_membarrier, V(GET_REGISTRATIONS), V(0),
			    V(0));
	step->flags |= STEP_MAY_FAIL;
	*part_offsets(d, thread, &membarrier_part, 1) = plan_keep_result(plan, step);
	return 0;
}

static int answer_membarrier(struct dump *d, struct thread *thread)
{
	TaskCoreEntry *tc = thread->core->tc;
	int64_t mask;

	if (thread != thread->task->leader)
		return 0;
	mask = remote_value(thread->remote, *part_offsets(d, thread, &membarrier_part, 1));
	if (mask > 0) {
		tc->has_membarrier_registration_mask = true;
		tc->membarrier_registration_mask = (uint32_t)mask;
	}
	return 0;
}

static int check_membarrier(struct restore *r, struct thread *thread)
{
	if (thread == thread->task->leader && (thread->core->tc->membarrier_registration_mask & ~REGISTRATIONS))
		return refuse(EINVAL, "membarrier registrations 0x%x: the image is damaged",
			      thread->core->tc->membarrier_registration_mask);
	return 0;
}

static int plan_membarrier(struct restore *r, struct thread *thread, struct plan *plan)
{
	if (thread != thread->task->leader)
		return 0;
	for (int bit = 0; bit < 32; bit++)
		if (thread->core->tc->membarrier_registration_mask >> bit & 1)
			plan_syscall(plan, "register for memory barriers", __NR_membarrier, V(1 << bit), V(0), V(0));
	return 0;
}

const struct task_part membarrier_part = {
	.name = "membarrier",
	.ask = ask_membarrier,
	.answer = answer_membarrier,
	.check = check_membarrier,
	.plan = plan_membarrier,
};
