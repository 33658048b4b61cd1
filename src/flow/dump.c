/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of a dump: freeze, look, write, let go. Read top to bottom in dump_look() and write_all(). */
#include "flow/dump.h"

#include <errno.h>

#include "base/fail.h"
#include "base/findings.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "engine/engine.h"
#include "flow/actions.h"
#include "flow/cpuinfo.h"
#include "flow/dump/check.h"
#include "flow/dump/end.h"
#include "flow/dump/session.h"
#include "flow/dump/states.h"
#include "flow/dump/families.h"
#include "flow/dump/state.h"
#include "flow/dump/task.h"
#include "flow/dump/verify.h"
#include "flow/freeze/foresee.h"
#include "flow/freeze/freeze.h"
#include "flow/freeze/thaw.h"
#include "flow/stats.h"
#include "flow/tell.h"
#include "image/inventory.h"
#include "plugin/plugin.h"
#include "session/survey.h"
#include "task/tree-image.h"

/* Who shares what with whom; which namespaces there are. */
static int dump_relations(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree) {
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		if (task_is_live(task))
			TRY(dump_go_on(d, dump_ids(d, task)));
	}
	return 0;
}

static int dump_objects(struct dump *d)
{
	struct task *task;

	TRY(phase_dump_files(d));
	for_each_task(task, d->tree) {
		if (!task_is_live(task))
			continue;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		TRY(dump_go_on(d, dump_task_memory(d, task)));
	}
	return phase_dump_finish(d);
}

static int renew_trackers(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree) {
		if (!task_is_live(task))
			continue;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		TRY(phase_dump_renew(d, task));
	}
	return 0;
}

/* All images but the inventory. */
static int write_all(struct dump *d)
{
	struct task *task;

	TRY(phase_dump_write(d));
	for_each_task(task, d->tree)
		TRY(dump_task_write(d, task));
	TRY(tree_write(dump_store(d), d->tree));
	if (d->options->cpu_cap & OPT_CPU_IMAGE)
		TRY(cpuinfo_write(dump_store(d)));
	TRY(renew_trackers(d));
	d->inventory->dump_uptime = d->options->track_mem ? clock_boot_us() : 0;
	return 0;
}

static int checkpoint_devices(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree)
		if (task_is_live(task))
			TRY(plugins_check(d->plugins, plugins_ask(d->plugins, CHECKPOINT_DEVICES, task->pid)));
	return 0;
}

/* What others do before anything is looked at. Our own lock of the network follows when the connections are known. */
static int announce_dump(struct dump *d)
{
	inventory_forget_older(dump_store(d)); /* until the new one is there, this is no checkpoint */
	TRY(checkpoint_devices(d));
	flow_dump_of(d)->network_cut_off = d->facts->own_network;
	if (flow_dump_of(d)->network_cut_off)
		TRY(actions_run(d->options, d->listener, ACTION_NETWORK_LOCK, d->options->pid));
	return actions_query_external(d);
}

int dump_look(struct dump *d)
{
	bool only_look;

	TRY(freeze_tree(d));
	TRY(dump_check_tree(d));
	only_look = d->progress->only_look;
	TRY(dump_relations(d));
	TRY(dump_check_families(d));
	if (!only_look && !d->progress->obstacle)
		TRY(announce_dump(d));
	TRY(phase_dump_isolate(d));
	TRY(phase_dump_collect(d));
	TRY(dump_states(d));
	if (d->progress->tasks_run)
		release_tree(d);
	TRY(dump_objects(d));
	return d->progress->obstacle;
}

static int dump_tree(struct dump *d)
{
	TRY(dump_look(d));
	TRY(plugins_check(d->plugins, plugins_ask(d->plugins, DUMP_DEVICES_LATE, d->tree->root->pid)));
	TRY(write_all(d));
	TRY(dump_go_live(d));
	return dump_commit(d);
}

/* All that can be undone, and the end of it one way or the other. */
static int dump_and_let_go(struct dump *d)
{
	struct findings findings = { 0 };
	int error;

	flow_dump_of(d)->will_kill = d->options->end == OPT_END_KILL && !d->options->lazy_pages;
	findings_begin(&findings);
	error = dump_tree(d);
	findings_end(&findings);
	findings_done(&findings);
	(void)interrupt_check_last(); /* the undoing is not interrupted */
	dump_let_go(d, error);
	return error;
}

int dump_run(const struct options *options, struct listener *listener)
{
	struct dump d = { .listener = listener };
	int error;

	interrupt_catch("the tasks are left as they were");
	error = dump_begin(&d, options);
	if (error == 0)
		error = actions_run(options, listener, ACTION_PRE_DUMP, options->pid);
	if (error == 0)
		error = dump_load_plugins(&d);
	if (error == 0)
		error = dump_verify_begin(&d);
	if (error == 0) {
		foresee_tree(&d);
		error = tell_before_dump(options, flow_dump_of(&d)->tell);
	}
	if (error == 0)
		error = dump_and_let_go(&d);
	else
		tell_goes_on(flow_dump_of(&d)->tell);
	plugins_done(&d.plugins, error);
	if (error == 0)
		(void)stats_write_dump(&d, options); /* logged; the checkpoint is complete without it */
	dump_end(&d);
	if (error == 0)
		dump_free_parents(options);
	if (error < 0)
		log_error("Dumping FAILED.");
	else
		log_info("Dumping finished successfully");
	return error;
}
