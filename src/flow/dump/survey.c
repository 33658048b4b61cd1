/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of criu check --tree: a dump that only looks. */
#include "flow/dump/survey.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/findings.h"
#include "base/interrupt.h"
#include "flow/dump.h"
#include "flow/dump/session.h"
#include "flow/freeze/thaw.h"
#include "object/file/file.h"
#include "object/namespace/namespace.h"
#include "kern/pidfd.h"
#include "session/session.h"

/* Then they are stopped all the while. */
#define TRIES_WHILE_RUNNING 3

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
	ret->own_mounts = d->tree->root && namespace_of_root(dump_namespaces(d), d->tree, CLONE_NEWNS, NULL);
	if (d->facts->inner_pids && d->tree->root && d->tree->root->vpid != 1)
		ret->given_pids = d->facts->pid_namespace;
	snprintf(ret->root, sizeof(ret->root), "%s", d->tree->root ? d->tree->root->comm : "");
}

/* While the tasks run, some may end or execute another program, and nothing can be told of what they were. */
static bool has_task_gone(const struct dump *d, const struct findings *findings)
{
	struct task *task;

	for (size_t i = 0; i < findings->list.n; i++)
		if (findings->list.items[i].error == ESRCH || findings->list.items[i].error == ENOENT)
			return true; /* it is about to, or a file of /proc is gone */
	if (!d->tree)
		return false;
	for_each_task(task, d->tree) {
		AUTO_CLOSE int pidfd = task_is_live(task) ? pidfd_of_process(task->pid) : -1;

		if (task_is_live(task) && (pidfd < 0 || pidfd_wait_exit(pidfd, 0) == 0))
			return true;
	}
	return false;
}

/* -EAGAIN: it must be done once more. */
static int look_once(const struct options *options, bool tasks_run, struct dump_survey *ret)
{
	struct progress progress = { .only_look = true, .tasks_run = tasks_run };
	struct dump d = { .progress = &progress };
	int error;

	findings_begin(&ret->findings);
	error = dump_begin(&d, options);
	if (error == 0)
		error = dump_look(&d);
	if (tasks_run && error < 0 && has_task_gone(&d, &ret->findings))
		error = -EAGAIN;
	if (d.tree)
		thaw_tree(&d);
	count_objects(&d, ret);
	dump_end(&d);
	findings_end(&ret->findings);
	return error;
}

int dump_survey(const struct options *options, struct dump_survey *ret)
{
	struct dump_survey empty = *ret;
	int error, late;

	interrupt_catch("the tasks are left as they were");
	for (int tries = 0; (error = look_once(options, tries < TRIES_WHILE_RUNNING, ret)) == -EAGAIN; tries++) {
		findings_done(&ret->findings);
		failure_reset();
		*ret = empty;
	}
	late = interrupt_release();
	if (late)
		(void)raise(late);
	return error;
}
