/* SPDX-License-Identifier: GPL-2.0-only */
/* How late the timers of a thread may be, PR_SET_TIMERSLACK in prctl(2). CRIU does not save it; ours is a field that it
 * skips. */
#include <sys/prctl.h>

#include "base/fail.h"
#include "object/task/part.h"
#include "plan/plan.h"

#define USUAL_SLACK 50000 /* ns; what the first process starts with */

extern const struct task_part timer_slack_part;

static int ask_timer_slack(struct dump *d, struct thread *thread, struct plan *plan)
{
	*part_offsets(d, thread, &timer_slack_part, 1) =
		plan_keep_result(plan, plan_syscall(plan, "read the timer slack", __NR_prctl, V(PR_GET_TIMERSLACK),
						    V(0), V(0), V(0), V(0)));
	return 0;
}

/* Real-time threads have none: 0. */
static int put_timer_slack(struct thread *thread, int64_t slack)
{
	if (slack > 0 && slack != USUAL_SLACK) {
		thread->core->thread_core->has_timer_slack_ns = true;
		thread->core->thread_core->timer_slack_ns = (uint64_t)slack;
	}
	return 0;
}

static int answer_timer_slack(struct dump *d, struct thread *thread)
{
	return put_timer_slack(thread, remote_value(thread->remote, *part_offsets(d, thread, &timer_slack_part, 1)));
}

static int told_timer_slack(struct dump *d, struct thread *thread)
{
	return put_timer_slack(thread, (int64_t)thread->dump->own->timer_slack);
}

static int plan_timer_slack(struct restore *r, struct thread *thread, struct plan *plan)
{
	const ThreadCoreEntry *record = thread->core->thread_core;
	uint64_t slack = record->has_timer_slack_ns ? record->timer_slack_ns : USUAL_SLACK;

	plan_syscall(plan, "set the timer slack", __NR_prctl, V(PR_SET_TIMERSLACK), V(slack), V(0), V(0), V(0));
	return 0;
}

const struct task_part timer_slack_part = {
	.name = "timer-slack",
	.ask = ask_timer_slack,
	.answer = answer_timer_slack,
	.told = told_timer_slack,
	.plan = plan_timer_slack,
};
