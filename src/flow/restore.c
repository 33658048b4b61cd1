/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of a restore: read and check everything, make the tasks, fill them, let them go. Read top to bottom in
 * restore_all(). */
#include "flow/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/io.h"
#include "base/log.h"
#include "base/workers.h"
#include "flow/actions.h"
#include "flow/cpuinfo.h"
#include "flow/restore-load.h"
#include "flow/restore-task.h"
#include "flow/restore-tree.h"
#include "flow/stats.h"
#include "image/inventory.h"
#include "image/store.h"
#include "kern/proc/children.h"
#include "kern/proc/proc.h"
#include "lib/compel/restorer.h"
#include "pages/dedup.h"
#include "object/cgroup/cgroup.h"
#include "object/file/file.h"
#include "object/memory/memory.h"
#include "object/namespace/namespace.h"
#include "object/socket/socket.h"
#include "plugin/plugin.h"
#include "session/listener.h"
#include "session/session.h"

static int begin(struct restore *r, const struct options *options)
{
	r->options = options;
	if (options->log_pid)
		log_split(options->log_file);
	r->pool = pool_create();
	r->tree = task_tree_create();
	r->stats = pool_new(r->pool, struct stats);
	(void)fd_raise_limit();
	return store_open_dir(options->images_dir_fd, false, &r->store);
}

static void end(struct restore *r)
{
	struct task *task;

	if (r->tree) {
		for_each_task(task, r->tree) {
			if (task->restore && task->restore->proc >= 0)
				close(task->restore->proc);
			if (task->restore && task->restore->pidfd >= 0)
				close(task->restore->pidfd);
		}
	}
	memory_lazy_restore_clean(r);
	memory_restore_clean(r);
	namespaces_restore_clean(r);
	cgroup_restore_done(r);
	restorer_arena_close(&r->arena);
	store_close(&r->store);
	workers_destroy(&r->workers);
	task_tree_destroy(&r->tree);
	pool_destroy(&r->pool);
}

static int write_pidfile(const struct options *options, pid_t pid)
{
	int error = options->pidfile ? file_write_pid(options->pidfile, pid) : 0;

	return error < 0 ? fail(-error, "--pidfile %s (it must not exist before)", options->pidfile) : 0;
}

static int make_all(struct restore *r)
{
	struct task *task;
	int error;

	stats_start(r->stats, STATS_FORKING);
	TRY(cgroup_restore_make(r));
	TRY(restore_tree(r));
	TRY(restore_groups(r));
	stats_stop(r->stats, STATS_FORKING);
	for_each_task(task, r->tree)
		TRY(memory_lazy_register(r, task));
	for_each_task(task, r->tree)
		if (task_is_live(task))
			TRY(restore_task_contents(r, task));
	TRY(restore_dead(r));
	TRY(restore_parts(r));
	TRY(fail_point("restore/settle"));
	TRY(file_restore_settle(r));
	TRY(namespaces_restore_settle(r));
	TRY(cgroup_restore_limit(r));
	TRY(restore_last(r));
	TRY(restore_set_registers(r));
	TRY(actions_run(r->options, ACTION_POST_RESTORE, r->tree->root->pid));
	TRY(write_pidfile(r->options, r->tree->root->pid));
	error = interrupt_check_last();
	if (error == 0)
		error = file_restore_resume(r);
	if (error == 0 && namespace_of_root(r->namespaces, r->tree, "net", NULL))
		(void)actions_run(r->options, ACTION_NETWORK_UNLOCK, r->tree->root->pid); /* logged */
	if (error == 0)
		error = cgroup_restore_freeze(r);
	if (error < 0 && r->options->pidfile)
		unlink(r->options->pidfile); /* ours: it did not exist before */
	return error;
}

#define FD_CAPACITY 16384 /* more than that is rare, and only slower */

/* Threads of ours must not hold a tid that a task wants; then we do without them. */
static int make_workers(struct restore *r)
{
	AUTO(proc_pids_done) struct proc_pids own = { 0 };
	AUTO_CLOSE int proc = proc_open(getpid());

	TRY(proc);
	fd_reserve(FD_CAPACITY);
	r->workers = workers_create(0);
	TRY(proc_threads_read(proc, &own));
	for (size_t i = 0; i < own.n && !r->inner_pids; i++) {
		if (!task_tree_find_thread(r->tree, own.items[i]))
			continue;
		if (own.items[i] == getpid())
			return refuse(EEXIST, "criu itself has the pid %d that a task wants: run it again", getpid());
		log_info("A worker has the tid %d that a task wants: going on with one thread", own.items[i]);
		workers_destroy(&r->workers);
		r->workers = workers_create(1);
		break;
	}
	return 0;
}

static int load_plugins(struct restore *r)
{
	const struct plugin_run run = {
		.stage = CR_PLUGIN_STAGE__RESTORE,
		.libdir = r->options->libdir,
		.images_dir_fd = r->options->images_dir_fd,
		.has_names = r->inventory->has_plugins,
		.names = r->inventory->plugins,
		.n_names = r->inventory->n_plugins,
	};

	return plugins_load(&run, &r->plugins);
}

/* There is no way back for the tasks: a failure is only logged. */
static void resume_devices(struct restore *r)
{
	struct task *task;

	for_each_task(task, r->tree)
		if (task_is_live(task))
			(void)plugins_check(r->plugins, plugins_ask(r->plugins, RESUME_DEVICES_LATE, task->pid));
}

static int restore_all(struct restore *r)
{
	int error;

	stats_start(r->stats, STATS_RESTORE);
	if (r->options->cpu_cap & OPT_CPU_IMAGE)
		TRY(cpuinfo_check(r->store, r->options->cpu_cap));
	TRY(restore_load(r));
	log_info("Restoring %u tasks with %u threads", r->tree->n_tasks, r->tree->n_threads);
	TRY(load_plugins(r));
	TRY(actions_run(r->options, ACTION_PRE_RESTORE, 0));
	TRY(make_workers(r));
	error = memory_lazy_begin(r);
	if (error == 0)
		error = make_all(r);
	(void)interrupt_check_last(); /* if it has not made it fail, it has come too late */
	file_restore_clean(r);
	memory_restore_clean(r);
	namespaces_restore_clean(r);
	if (error < 0) {
		restore_kill(r);
		cgroup_restore_undo(r);
		return error;
	}
	resume_devices(r);
	(void)actions_run(r->options, ACTION_PRE_RESUME, r->tree->root->pid); /* logged */
	restore_let_go(r);
	memory_lazy_finish(r);
	stats_stop(r->stats, STATS_RESTORE);
	(void)actions_run(r->options, ACTION_POST_RESUME, r->tree->root->pid); /* logged */
	return 0;
}

/* Without --restore-detached we stay until our children are gone, whatever their fate. */
static void stay(const struct options *options)
{
	int late = interrupt_release();

	if (options->restore_detached || options->exec_cmd)
		return;
	log_flush(); /* it may be for days */
	if (late)
		(void)raise(late);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

int restore(const struct options *options)
{
	struct restore r = { 0 };
	int error;

	interrupt_catch("nothing of the tasks is left");
	error = begin(&r, options);
	if (error == 0)
		error = restore_all(&r);
	plugins_done(&r.plugins, error);
	if (options->listener && r.tree && r.tree->root && r.tree->root->restore && r.tree->root->restore->made)
		options->listener->root = r.tree->root->pid;
	if (error == 0)
		(void)stats_write_restore(&r, options); /* logged; the tasks run */
	/* With --lazy-pages the images are still read: by the daemon. */
	if (error == 0 && options->auto_dedup && !options->lazy_pages)
		(void)pages_free_all(r.store); /* logged: the images are larger than they might be */
	end(&r);
	if (error < 0) {
		log_error("Restoring FAILED.");
		interrupt_release();
		return error;
	}
	log_info("Restore finished successfully. Tasks resumed.");
	stay(options);
	return 0;
}
