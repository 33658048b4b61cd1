/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of a restore: read and check everything, make the tasks, fill them, let them go. Read top to bottom in
 * restore_all(). */
#include "flow/restore.h"

#include <errno.h>
#include <signal.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "engine/engine.h"
#include "flow/actions.h"
#include "flow/copies/copies.h"
#include "flow/copies/copy.h"
#include "flow/cpuinfo.h"
#include "flow/new-pidns.h"
#include "flow/plugin-threads.h"
#include "flow/restore/ending.h"
#include "flow/restore/groups.h"
#include "flow/restore/contents.h"
#include "flow/restore/kill.h"
#include "flow/restore/let-go.h"
#include "flow/restore/load.h"
#include "flow/restore/next-pid.h"
#include "flow/restore/session.h"
#include "flow/restore/task.h"
#include "flow/restore/tree.h"
#include "flow/stats.h"
#include "flow/stream.h"
#include "flow/tell.h"
#include "pages/dedup.h"
#include "plugin/plugin.h"
#include "session/copy.h"
#include "session/session.h"

static int write_pidfile(const struct options *options, pid_t pid)
{
	int error = options->pidfile ? file_write_pid(options->pidfile, pid) : 0;

	return error < 0 ? fail(-error, "--pidfile %s (it must not exist before)", options->pidfile) : 0;
}

/* Every task has its memory and its descriptors, and every thread is there. */
static int furnish_all(struct restore *r)
{
	struct task *task;

	for_each_task(task, r->tree)
		TRY(phase_restore_complete(r, task));
	return restore_contents(r);
}

static int make_all(struct restore *r)
{
	stats_start(r->stats, STATS_FORKING);
	TRY(restore_tree(r));
	TRY(restore_groups(r));
	stats_stop(r->stats, STATS_FORKING);
	TRY(furnish_all(r));
	TRY(restore_dead(r));
	TRY(restore_parts(r));
	next_pids_raise(r);
	TRY(phase_restore_settle(r));
	TRY(restore_last(r));
	TRY(restore_set_registers(r));
	return actions_run(r->options, r->listener, ACTION_POST_RESTORE, r->tree->root->pid);
}

/* What others will see at once. */
static int show_result(struct restore *r)
{
	int error;

	TRY(write_pidfile(r->options, r->tree->root->pid));
	error = stream_read_rest(r);
	if (error == 0)
		error = restore_await_word(r);
	if (error == 0)
		error = phase_restore_freeze(r);
	if (error == 0)
		error = phase_restore_resume(r);
	if (error == 0 && r->facts->own_network)
		(void)actions_run(r->options, r->listener, ACTION_NETWORK_UNLOCK, r->tree->root->pid); /* logged */
	if (error < 0 && r->options->pidfile)
		unlink(r->options->pidfile); /* ours: it did not exist before */
	return error;
}

static int restore_all(struct restore *r)
{
	struct tell *tell = NULL;
	bool must_tell;
	int error;

	stats_start(r->stats, STATS_RESTORE);
	if (r->options->cpu_cap & OPT_CPU_IMAGE)
		TRY(cpuinfo_check(r->store, r->options->cpu_cap));
	TRY(restore_load(r));
	log_info("Restoring %u tasks with %u threads", r->tree->n_tasks, r->tree->n_threads);
	TRY(restore_load_plugins(r));
	TRY(actions_run(r->options, r->listener, ACTION_PRE_RESTORE, 0));
	TRY(restore_make_workers(r));
	error = phase_restore_connect(r) ?: make_all(r);
	if (error == 0)
		error = show_result(r);
	if (error == 0 && r->copy)
		error = copy_await_others(r->copy, r->tree->root->pid);
	must_tell = tell_is_wanted(r);
	(void)interrupt_check_last(); /* if it has not made it fail, it has come too late */
	if (error < 0) {
		phase_restore_thaw(r);
		restore_kill(r);
	}
	phase_restore_clean(r);
	if (error < 0) {
		phase_restore_undo(r);
		return error;
	}
	restore_resume_devices(r);
	(void)actions_run(r->options, r->listener, ACTION_PRE_RESUME, r->tree->root->pid); /* logged */
	if (must_tell)
		tell_restored(r, &tell);
	restore_let_go(r);
	tell_end(&tell);
	phase_restore_resumed(r);
	stats_stop(r->stats, STATS_RESTORE);
	(void)actions_run(r->options, r->listener, ACTION_POST_RESUME, r->tree->root->pid); /* logged */
	return 0;
}

/* Without --restore-detached we stay until our children are gone, whatever their fate. */
static void wait_for_children(const struct options *options)
{
	int late;

	if (options->restore_detached || options->exec_cmd)
		return;
	late = interrupt_release();
	log_flush(); /* it may be for days */
	if (late)
		(void)raise(late);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static pid_t root_of(const struct restore *r)
{
	const struct task *root = r->tree ? r->tree->root : NULL;

	return root && root->restore && root->restore->made ? root->pid : 0;
}

static int restore_here(const struct options *options, struct listener *listener, const struct copy *copy,
			struct restored *ret)
{
	struct restore r = { .listener = listener, .copy = copy };
	int error;

	interrupt_catch("nothing of the tasks is left");
	error = restore_begin(&r, options);
	if (error == 0)
		error = restore_all(&r);
	plugins_done(&r.plugins, error);
	*ret = (struct restored){ .root = root_of(&r) };
	if (error == 0 && (!copy || copy->number == 1))
		(void)stats_write_restore(&r, options); /* logged; the tasks run */
	/* With --lazy-pages and --on-demand the images are still read. */
	if (error == 0 && options->auto_dedup && !options->lazy_pages && !options->on_demand)
		(void)pages_free_all(r.store); /* logged: the images are larger than they might be */
	restore_end(&r);
	if (error < 0) {
		if (!copy || error != -ECANCELED) /* another copy has failed */
			log_error("Restoring FAILED.");
		return error;
	}
	log_info("Restore finished successfully. Tasks resumed.");
	wait_for_children(options);
	return 0;
}

int restore_run(const struct options *options, struct listener *listener, struct restored *ret)
{
	if (options->copies)
		return restore_copies(options, restore_here, ret);
	return options->new_pidns ? restore_in_new_pidns(options, listener, restore_here, ret)
				  : restore_here(options, listener, NULL, ret);
}
