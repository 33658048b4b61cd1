/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of criu inspect: load and link as a restore does, then every family tells what it knows. */
#include "flow/inspect.h"

#include <sys/wait.h>

#include "base/fail.h"
#include "base/findings.h"
#include "base/outline.h"
#include "engine/engine.h"
#include "flow/restore/load.h"
#include "image/inventory.h"
#include "session/images.h"
#include "session/inspection.h"
#include "session/needs.h"
#include "session/session.h"

static void add_end(const struct task *task, struct outline *to)
{
	const TaskCoreEntry *core = task->leader->core ? task->leader->core->tc : NULL;

	if (core && WIFSIGNALED(core->exit_code))
		outline_add_text(to, "ended", "by signal %d", WTERMSIG(core->exit_code));
	else if (core)
		outline_add_text(to, "ended", "with exit code %d", WEXITSTATUS(core->exit_code));
}

static void add_identity(const struct task *task, struct outline *to)
{
	outline_add_number(to, "pid", task->vpid);
	outline_add_text(to, "name", "%s", *task->comm ? task->comm : "?");
	outline_add_number(to, "parent", task->parent ? task->parent->vpid : 0);
	outline_add_number(to, "process group", task->vpgid);
	outline_add_number(to, "session", task->vsid);
	if (task->state == TASK_DEAD)
		add_end(task, to);
	else
		outline_add_text(to, "state", task->state == TASK_STOPPED ? "stopped" : "running");
}

int inspect_tasks(struct restore *r)
{
	struct outline *list = outline_add_list(r->inspection->all, "processes");
	struct task *task;

	for_each_task(task, r->tree) {
		if (task->state == TASK_HELPER)
			continue;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		r->inspection->task = outline_add_group(list, NULL);
		add_identity(task, r->inspection->task);
		TRY(phase_restore_inspect(r, task));
	}
	return 0;
}

static void add_damage(const struct findings *findings, struct outline *all)
{
	struct outline *list = outline_add_list(all, "damage");

	for (size_t i = 0; i < findings->list.n; i++)
		outline_add_text(list, NULL, "%s%s%s", findings->list.items[i].scopes,
				 *findings->list.items[i].scopes ? ": " : "", findings->list.items[i].text);
}

int inspect_run(const struct options *options, struct pool *pool, struct outline **ret)
{
	struct inspection inspection = { .all = outline_create(pool) };
	struct options own = *options;
	struct findings findings = { .quiet = true };
	struct needs needs = { 0 };
	struct restore r = { .needs = &needs, .inspection = &inspection };
	int error;

	*ret = inspection.all;
	restore_session_begin(&r, &own);
	error = images_open(options, false, &r.store);
	findings_begin(&findings);
	if (error == 0)
		error = restore_load(&r);
	if (error == 0)
		error = inspect_tasks(&r);
	findings_end(&findings);
	add_damage(&findings, inspection.all);
	findings_done(&findings);
	phase_restore_end(&r);
	restore_session_end(&r);
	vector_done(&needs.list);
	return error;
}
