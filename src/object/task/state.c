/* SPDX-License-Identifier: GPL-2.0-only */
/* State of a living process: running or stopped, flags, name, execution domain (personality(2)). */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "object/task/part.h"

static int read_personality(const struct task *task, uint32_t *ret)
{
	char text[32];
	ssize_t size = file_read_text(task->dump->proc, "personality", text, sizeof(text));

	if (size < 0)
		return fail((int)-size, "reading /proc/%d/personality", task->pid);
	text[strcspn(text, "\n")] = 0;
	if (text_to_u32(text, 16, ret) < 0)
		return fail(EINVAL, "/proc/%d/personality says \"%s\"", task->pid, text);
	return 0;
}

static int dump_state(struct dump *d, struct thread *thread)
{
	struct task *task = thread->task;
	TaskCoreEntry *tc = thread->core->tc;

	if (thread != task->leader)
		return 0;
	tc->task_state = task->state;
	tc->flags = task->dump->stat.flags;
	tc->comm = pool_string(d->pool, task->comm);
	if (task->state == TASK_STOPPED) {
		tc->has_stop_signo = true;
		tc->stop_signo = (uint32_t)task->dump->stop_signal;
	}
	return read_personality(task, &tc->personality);
}

static int check_state(struct restore *r, struct thread *thread)
{
	const TaskCoreEntry *tc = thread->core->tc;

	if (thread != thread->task->leader)
		return 0;
	if (tc->has_stop_signo && (tc->stop_signo < 1 || tc->stop_signo > 64))
		return refuse(EINVAL, "the record says stopped by signal %u: the image is damaged", tc->stop_signo);
	return 0;
}

/* Each thread has its own in the kernel, but the image holds that of the leader. READ_IMPLIES_EXEC would change mappings: they are made. */
static int plan_state(struct restore *r, struct thread *thread, struct plan *plan)
{
	plan_syscall(plan, "set the personality", __NR_personality, V(thread->task->leader->core->tc->personality));
	return 0;
}

const struct task_part state_part = {
	.name = "state",
	.outside = dump_state,
	.check = check_state,
	.plan = plan_state,
};
