/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of them. */
#include "base/array.h"
#include "session/session.h"
#include "task/task.h"
#include "session/trackers.h"

void task_note_tracker(struct task *task, int number)
{
	struct task_dump *dump = task->dump;

	for (unsigned i = 0; i < dump->n_trackers; i++)
		if (dump->trackers[i] == number)
			return;
	if (dump->n_trackers < ARRAY_SIZE(dump->trackers))
		dump->trackers[dump->n_trackers++] = number;
}
