/* SPDX-License-Identifier: GPL-2.0-only */
/* The name of a thread, PR_SET_NAME in prctl(2); that of the leader is the name of the process. */
#include <string.h>
#include <sys/prctl.h>

#include "base/fail.h"
#include "object/task/part.h"
#include "plan/plan.h"

#define NAME_SIZE 16 /* with the NUL */

extern const struct task_part name_part;

static int ask_name(struct dump *d, struct thread *thread, struct plan *plan)
{
	size_t *offset = part_offsets(d, thread, &name_part, 1);

	*offset = plan_space(plan, NAME_SIZE);
	plan_syscall(plan, "read the name", __NR_prctl, V(PR_GET_NAME), D(*offset), V(0), V(0), V(0));
	return 0;
}

static void put_name(struct dump *d, struct thread *thread, const char *name)
{
	thread->core->thread_core->comm = pool_printf(d->pool, "%.*s", NAME_SIZE - 1, name);
	if (thread == thread->task->leader)
		thread->core->tc->comm = thread->core->thread_core->comm;
}

static int answer_name(struct dump *d, struct thread *thread)
{
	put_name(d, thread, remote_result(thread->remote, *part_offsets(d, thread, &name_part, 1)));
	return 0;
}

static int told_name(struct dump *d, struct thread *thread)
{
	put_name(d, thread, thread->dump->own->name);
	return 0;
}

static int plan_name(struct restore *r, struct thread *thread, struct plan *plan)
{
	const CoreEntry *core = thread->core;
	const char *name = core->thread_core->comm ? core->thread_core->comm : thread->task->leader->core->tc->comm;
	char text[NAME_SIZE] = "";

	memcpy(text, name, strnlen(name, NAME_SIZE - 1));
	plan_syscall(plan, "set the name", __NR_prctl, V(PR_SET_NAME), D(plan_data(plan, text, sizeof(text))), V(0),
		     V(0), V(0));
	return 0;
}

const struct task_part name_part = {
	.name = "name",
	.ask = ask_name,
	.answer = answer_name,
	.told = told_name,
	.plan = plan_name,
};
