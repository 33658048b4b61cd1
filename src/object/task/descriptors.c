/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which numbers the descriptors of a task have, and which of them close on exec. A task says that in a fraction of the
 * time in which the kernel makes an inode of /proc for each. What is behind them is the business of src/object/file.
 */
#include "base/fail.h"
#include "object/task/part.h"
#include "plan/plan.h"

#define NUMBERS_MAX 65536 /* a table that was once larger is listed by the kernel */

extern const struct task_part descriptors_part;

enum offset { SIZE, FLAGS, OFFSETS };

/* Room in its table. Another task that shares it may have run, and opened more, after this one was looked at. */
static uint32_t size_of_table(const struct dump *d, const struct task *task)
{
	const struct task *other;
	uint32_t size = 0;

	for_each_task(other, d->tree)
		if (task_is_live(other) && other->ids && other->leader->dump &&
		    other->ids->files_id == task->ids->files_id && other->leader->dump->status.fd_size > size)
			size = other->leader->dump->status.fd_size;
	return size;
}

static int ask_descriptors(struct dump *d, struct thread *thread, struct plan *plan)
{
	const struct task *task = thread->task;
	size_t *offset;
	uint32_t n;

	if (thread != task->leader || task->dump->first_with_files != (uint32_t)task->pid)
		return 0;
	n = size_of_table(d, task);
	if (!n || n > NUMBERS_MAX)
		return 0;
	offset = part_offsets(d, thread, &descriptors_part, OFFSETS);
	offset[SIZE] = n;
	offset[FLAGS] = plan_space(plan, n);
	plan_step(plan, "list the descriptors", STEP_FD_FLAGS, (struct plan_arg[]){ V(n), D(offset[FLAGS]) }, 2);
	return 0;
}

static int answer_descriptors(struct dump *d, struct thread *thread)
{
	const size_t *offset = part_offsets(d, thread, &descriptors_part, OFFSETS);
	struct task_dump *dump = thread->task->dump;

	if (!offset[SIZE])
		return 0;
	dump->n_fd_flags = offset[SIZE];
	dump->fd_flags = pool_copy(d->pool, remote_result(thread->remote, offset[FLAGS]), offset[SIZE]);
	return 0;
}

const struct task_part descriptors_part = {
	.name = "descriptors",
	.ask = ask_descriptors,
	.answer = answer_descriptors,
};
