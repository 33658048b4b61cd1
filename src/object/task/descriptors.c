/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which numbers the descriptors of a task have, and which of them close on exec. A task says that in a fraction of the
 * time in which the kernel makes an inode of /proc for each. What is behind them is the business of src/object/file.
 */
#include "base/fail.h"
#include "object/task/part.h"

#define NUMBERS_MAX 65536 /* a table that was once larger is listed by the kernel */

extern const struct task_part descriptors_part;

static bool shall_tell(const struct thread *thread)
{
	return thread == thread->task->leader && thread->task->dump->first_with_files == (uint32_t)thread->task->pid &&
	       thread->dump->status.fd_size && thread->dump->status.fd_size <= NUMBERS_MAX;
}

static int ask_descriptors(struct dump *d, struct thread *thread, struct plan *plan)
{
	uint32_t n = thread->dump->status.fd_size;
	size_t *offset;

	if (!shall_tell(thread))
		return 0;
	offset = part_offsets(d, thread, &descriptors_part, 1);
	*offset = plan_space(plan, n);
	plan_step(plan, "list the descriptors", STEP_FD_FLAGS, (struct plan_arg[]){ V(n), D(*offset) }, 2);
	return 0;
}

static int answer_descriptors(struct dump *d, struct thread *thread)
{
	struct task_dump *dump = thread->task->dump;

	if (!shall_tell(thread))
		return 0;
	dump->n_fd_flags = thread->dump->status.fd_size;
	dump->fd_flags =
		pool_copy(d->pool, remote_result(thread->remote, *part_offsets(d, thread, &descriptors_part, 1)),
			  dump->n_fd_flags);
	return 0;
}

const struct task_part descriptors_part = {
	.name = "descriptors",
	.ask = ask_descriptors,
	.answer = answer_descriptors,
};
