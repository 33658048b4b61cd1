/* SPDX-License-Identifier: GPL-2.0-only */
/* For which kinds of memory barriers a process has registered, see membarrier(2). */
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/fail.h"
#include "object/task/host.h"
#include "object/task/part.h"
#include "plan/plan.h"

#define GET_REGISTRATIONS (1 << 9) /* MEMBARRIER_CMD_GET_REGISTRATIONS */
#define REGISTRATIONS                                                                           \
	(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ)

extern const struct task_part membarrier_part;

/*
 * Before Linux 6.3 nobody tells, but a private barrier fails with EPERM in a process that has not registered for it.
 * Whether a process has registered for the global one only its neighbours could notice.
 */
static const struct attempt {
	const char *why;
	int command, registration;
} attempts[] = {
	{ "try a private membarrier", MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED },
	{ "try a membarrier that syncs cores", MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
	  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE },
	{ "try a membarrier for rseq", MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
	  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ },
};

#define N_ATTEMPTS (ARRAY_SIZE(attempts))

static int ask_by_trying(struct dump *d, struct thread *thread, struct plan *plan)
{
	size_t *offset = part_offsets(d, thread, &membarrier_part, N_ATTEMPTS);

	for (size_t i = 0; i < N_ATTEMPTS; i++) {
		struct step *step =
			plan_syscall(plan, attempts[i].why, __NR_membarrier, V(attempts[i].command), V(0), V(0));

		step->flags |= STEP_MAY_FAIL;
		offset[i] = plan_keep_result(plan, step);
	}
	return 0;
}

static int64_t found_by_trying(struct dump *d, struct thread *thread)
{
	const size_t *offset = part_offsets(d, thread, &membarrier_part, N_ATTEMPTS);
	int64_t mask = 0;

	for (size_t i = 0; i < N_ATTEMPTS; i++)
		if (remote_value(thread->remote, offset[i]) == 0)
			mask |= attempts[i].registration;
	return mask;
}

static int ask_membarrier(struct dump *d, struct thread *thread, struct plan *plan)
{
	struct step *step;

	if (thread != thread->task->leader)
		return 0;
	if (!task_host_of_dump(d)->tells_membarriers)
		return ask_by_trying(d, thread, plan);
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
	mask = task_host_of_dump(d)->tells_membarriers
		       ? remote_value(thread->remote, *part_offsets(d, thread, &membarrier_part, 1))
		       : found_by_trying(d, thread);
	if (mask > 0) {
		tc->has_membarrier_registration_mask = true;
		tc->membarrier_registration_mask = (uint32_t)mask;
	}
	return 0;
}

static int check_membarrier(const struct restore *r, struct thread *thread)
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
