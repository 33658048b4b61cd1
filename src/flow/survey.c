/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of criu check --tree: a dump that only looks. */
#include <stdio.h>

#include "base/findings.h"
#include "base/interrupt.h"
#include "flow/dump.h"
#include "flow/freeze.h"
#include "object/file/file.h"
#include "session/session.h"

static void count_objects(const struct dump *d, struct dump_survey *ret)
{
	struct task *task;
	size_t n;

	ret->tasks = d->tree->n_tasks;
	ret->threads = d->tree->n_threads;
	for_each_task(task, d->tree)
		if (task->dump)
			for (size_t i = 0; i < task->dump->mappings.n; i++)
				ret->memory += (task->dump->mappings.items[i].anonymous_kb +
						task->dump->mappings.items[i].swap_kb)
					       << 10;
	(void)file_known_descriptors(d, &n);
	ret->descriptors = n;
	snprintf(ret->root, sizeof(ret->root), "%s", d->tree->root ? d->tree->root->comm : "");
}

int dump_survey(const struct options *options, struct dump_survey *ret)
{
	struct dump d = { .only_look = true, .tasks_run = true };
	int error;

	findings_begin(&ret->findings);
	interrupt_catch("the tasks are left as they were");
	error = dump_begin(&d, options);
	if (error == 0)
		error = dump_look(&d);
	if (d.tree)
		thaw_tree(&d);
	count_objects(&d, ret);
	dump_end(&d);
	findings_end(&ret->findings);
	return error;
}
