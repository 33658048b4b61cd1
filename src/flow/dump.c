/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of a dump: freeze, look, write, let go. Read top to bottom in dump_tree(). */
#include "flow/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/findings.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/workers.h"
#include "flow/actions.h"
#include "flow/background.h"
#include "flow/cpuinfo.h"
#include "flow/dump-task.h"
#include "flow/freeze.h"
#include "flow/freezer.h"
#include "flow/host.h"
#include "flow/page-server.h"
#include "flow/stats.h"
#include "image/inventory.h"
#include "image/store.h"
#include "lib/compel/parasite.h"
#include "object/file/file.h"
#include "object/memory/memory.h"
#include "object/mount/mount.h"
#include "object/namespace/namespace.h"
#include "object/net/net.h"
#include "object/socket/socket.h"
#include "object/task/part.h"
#include "pages/client.h"
#include "pages/dedup.h"
#include "plugin/plugin.h"
#include "session/session.h"
#include "session/survey.h"
#include "task/tree-image.h"

#define FD_CAPACITY 16384 /* more than that is rare, and only slower */

/* The memory goes to one, or we shall be one for it. */
static int prepare_page_server(struct dump *d)
{
	struct peer_place place = page_server_place(d->options);
	uint16_t port;

	place.grace = d->options->timeout; /* tasks stand still meanwhile */
	if (d->options->use_page_server && !d->options->lazy_pages)
		return page_sink_to_server(&place, &d->page_server);
	if (!d->options->lazy_pages || place.fd >= 0)
		return 0;
	d->lazy_listener = peer_listen(&place, &port);
	return d->lazy_listener < 0 ? d->lazy_listener : 0;
}

int dump_begin(struct dump *d, const struct options *options)
{
	d->options = options;
	d->lazy_listener = -1;
	d->pool = pool_create();
	d->tree = task_tree_create();
	d->stats = pool_new(d->pool, struct stats);
	d->parasite_cache = parasite_cache_create();
	d->kcmp_vm = kcmp_tree_create(KCMP_VM);
	d->kcmp_files = kcmp_tree_create(KCMP_FILES);
	d->kcmp_fs = kcmp_tree_create(KCMP_FS);
	d->kcmp_sighand = kcmp_tree_create(KCMP_SIGHAND);
	(void)fd_raise_limit();
	fd_reserve(FD_CAPACITY);
	d->workers = workers_create(0);
	d->deadline = deadline_in_seconds(options->timeout);
	d->inventory = pool_new(d->pool, struct inventory);
	TRY(inventory_make_run_id(d->inventory->run_id));
	log_info("Run id %s", d->inventory->run_id);
	d->inventory->tcp_close = options->tcp_close;
	d->inventory->allow_uprobes = options->allow_uprobes;
	TRY(namespaces_dump_begin(d));
	if (d->only_look) {
		d->store = store_create_nowhere();
		return 0;
	}
	/* Better now than when the tasks stand still. */
	TRY(prepare_page_server(d));
	if (faccessat(options->images_dir_fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return fail_errno("the images directory %s cannot be written to", options->images_dir);
	TRY(store_open_dir(options->images_dir_fd, true, &d->store));
	return memory_track_begin(d);
}

void dump_end(struct dump *d)
{
	struct task *task;

	if (d->tree)
		for_each_task(task, d->tree)
			if (task->dump) {
				mappings_done(&task->dump->mappings);
				memory_dump_forget(task);
				memory_track_forget(task);
			}
	memory_dump_clean(d);
	memory_lazy_dump_clean(d);
	if (d->lazy_listener >= 0)
		close(d->lazy_listener);
	page_sink_destroy(&d->page_server);
	store_close(&d->store);
	workers_destroy(&d->workers);
	parasite_cache_destroy(&d->parasite_cache);
	kcmp_tree_destroy(&d->kcmp_vm);
	kcmp_tree_destroy(&d->kcmp_files);
	kcmp_tree_destroy(&d->kcmp_fs);
	kcmp_tree_destroy(&d->kcmp_sighand);
	task_tree_destroy(&d->tree);
	file_dump_clean(d);
	mount_dump_clean(d);
	namespaces_dump_end(d);
	pool_destroy(&d->pool);
}

/* A session or group whose leader is not in the tree can only be taken from the terminal that restore is started on. */
static int check_sessions(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree) {
		if (task->vsid != d->tree->root->vsid || task->vsid == d->tree->root->vpid || d->options->shell_job)
			continue;
		int error = refuse(EINVAL,
				   "task %d (%s): its session %d is led from outside the tree: dump with --shell-job "
				   "if it was started from a "
				   "shell, or start it with setsid",
				   task->vpid, task->comm, task->vsid);

		TRY(dump_go_on(d, error));
	}
	return 0;
}

/* The kernel protects the first process of a pid namespace from signals of those who live in it. */
static int check_mortal(struct dump *d)
{
	if (d->tree->root->pid != 1 || d->options->end != OPT_END_KILL || d->only_look)
		return 0;
	return dump_go_on(d, refuse(EPERM, "process 1 can't be killed from within its pid namespace: run criu outside "
					   "of that namespace, or "
					   "dump with --leave-running"));
}

static bool has_member(const struct task *task, pid_t session)
{
	const struct task *t;

	/* An ancestor: the task was forked before its parent left that session. */
	for (t = task->parent; t; t = t->parent)
		if (t->vsid == session)
			return true;
	for_each_child(t, task->parent)
		if (t != task && t->vsid == session && task_is_live(t))
			return true;
	return false;
}

/* What flow/ancestry.c could not build again is refused while the tasks still run. */
static int check_families(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree) {
		if (!task->parent || task->vsid == task->vpid || has_member(task, task->vsid))
			continue;
		if (!task->vsid)
			TRY(dump_go_on(
				d,
				refuse(EOPNOTSUPP,
				       "task %d (%s): its session is led from outside of its pid namespace: that can't "
				       "be checkpointed yet",
				       task->vpid, task->comm)));
		if (!task_tree_find(d->tree, task->vsid))
			continue;
		int error = refuse(EOPNOTSUPP,
				   "task %d (%s): its session %d is led by a task that is not its sibling or ancestor: "
				   "this family cannot be "
				   "rebuilt yet",
				   task->vpid, task->comm, task->vsid);

		TRY(dump_go_on(d, error));
	}
	return 0;
}

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

static int dump_states(struct dump *d)
{
	struct task *task;

	TRY(namespaces_dump_collect(d)); /* whose paths the tasks use */
	for_each_task(task, d->tree) {
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		log_info("Dumping task %d (%s) with %u threads", task->vpid, task->comm, task->n_threads);
		TRY(dump_go_on(d, dump_task_state(d, task)));
	}
	return 0;
}

static int dump_objects(struct dump *d)
{
	struct task *task;

	TRY(fail_point("dump/files"));
	TRY(file_dump_tables(d));
	for_each_task(task, d->tree) {
		if (!task_is_live(task))
			continue;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		TRY(fail_point("dump/memory"));
		TRY(dump_go_on(d, dump_task_memory(d, task)));
	}
	return 0;
}

/* Tasks that run on are tracked from now on, or have nothing of ours any more. */
static int renew_trackers(struct dump *d)
{
	struct task *task;

	if (d->options->end == OPT_END_KILL)
		return 0;
	for_each_task(task, d->tree) {
		if (!task_is_live(task))
			continue;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		TRY(memory_track_renew(d, task));
	}
	return 0;
}

static int write_all(struct dump *d)
{
	struct task *task;

	TRY(fail_point("dump/finish"));
	TRY(parts_dump_finish(d));
	TRY(file_dump_finish(d));
	if (d->only_look)
		return d->obstacle;
	TRY(memory_dump_finish(d));
	for_each_task(task, d->tree)
		TRY(dump_task_write(d, task));
	TRY(tree_write(d->store, d->tree));
	TRY(namespaces_dump_write(d));
	TRY(host_write(d));
	if (d->options->cpu_cap & OPT_CPU_IMAGE)
		TRY(cpuinfo_write(d->store));
	TRY(renew_trackers(d));
	d->inventory->dump_uptime = d->options->track_mem ? clock_boot_us() : 0;
	/* Last: a directory without an inventory is no checkpoint. */
	TRY(fail_point("dump/inventory"));
	d->inventory->plugins = plugins_named(d->plugins, &d->inventory->n_plugins);
	return inventory_write(d->store, d->inventory);
}

int dump_load_plugins(struct dump *d)
{
	const struct plugin_run run = {
		.stage = d->options->command == CMD_PRE_DUMP ? CR_PLUGIN_STAGE__PRE_DUMP : CR_PLUGIN_STAGE__DUMP,
		.libdir = d->options->libdir,
		.images_dir_fd = d->options->images_dir_fd,
	};

	return plugins_load(&run, &d->plugins);
}

/* Our own lock follows when the connections are known. */
static int announce_network_lock(struct dump *d)
{
	d->network_cut_off = namespace_of_root(d->namespaces, d->tree, "net", NULL);
	return d->network_cut_off ? actions_run(d->options, ACTION_NETWORK_LOCK, d->options->pid) : 0;
}

static void unlock_network(struct dump *d)
{
	network_dump_end(d);
	if (d->network_cut_off)
		(void)actions_run(d->options, ACTION_NETWORK_UNLOCK, d->options->pid); /* logged */
}

static int checkpoint_devices(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree)
		if (task_is_live(task))
			TRY(plugins_check(d->plugins, plugins_ask(d->plugins, CHECKPOINT_DEVICES, task->pid)));
	return 0;
}

static int dump_tree(struct dump *d)
{
	bool only_look;

	stats_start(d->stats, STATS_FREEZING);
	stats_start(d->stats, STATS_FROZEN);
	TRY(freeze_tree(d));
	stats_stop(d->stats, STATS_FREEZING);
	TRY(check_mortal(d));
	TRY(check_sessions(d));
	TRY(check_families(d));
	only_look = d->only_look;
	TRY(dump_relations(d));
	if (!only_look) {
		TRY(checkpoint_devices(d));
		TRY(announce_network_lock(d));
		TRY(actions_run(d->options, ACTION_QUERY_EXT_FILES, d->options->pid));
	}
	TRY(fail_point("dump/collect"));
	TRY(parts_dump_collect(d));
	TRY(dump_states(d));
	if (d->tasks_run)
		release_tree(d);
	TRY(dump_objects(d));
	return write_all(d);
}

/*
 * What --lazy-pages left in the tasks is asked for by a client. Only its last word lets the tasks die: if it ends
 * without, what was restored lacks memory, and the tasks run on here.
 */
static int give_memory(struct dump *d)
{
	int result;

	if (!d->options->lazy_pages)
		return 0;
	TRY(background_tell_ready(d->options));
	log_info("Waiting for a client that asks for the %" PRIu64 " pages that were left", d->stats->pages_lazy);
	log_flush();
	result = page_server_give(d->options, d->lazy_listener, memory_lazy_supply(d));
	TRY(result);
	if (!result)
		return refuse(ECONNRESET, "the client that was to take the memory has ended without saying that it has "
					  "it all: the tasks run on here");
	log_info("The client has all the memory that it needs");
	return 0;
}

static int let_go(struct dump *d, int error)
{
	bool kill = error == 0 && d->options->end == OPT_END_KILL;
	int network = 0, late = 0;

	if (!kill)
		freezer_end(&d->freezer); /* those that were frozen do not run on */
	if (error < 0 || d->options->end == OPT_END_RUN) {
		unlock_network(d);
		thaw_tree(d);
	} else if (d->options->end == OPT_END_STOP) {
		unlock_network(d);
		stop_tree(d);
	} else {
		kill_tree(d);
		freezer_end(&d->freezer); /* frozen tasks do not die */
		late = file_dump_killed(d);
		network = network_dump_keep(d);
	}
	network_dump_end(d);
	stats_stop(d->stats, STATS_FROZEN);
	return error < 0 ? error : late < 0 ? late : network;
}

static void count(const struct dump *d, struct dump_survey *ret)
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
	if (d->files) {
		(void)file_known_descriptors((struct dump *)d, &n);
		ret->descriptors = n;
	}
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
		error = dump_tree(&d);
	if (d.tree)
		thaw_tree(&d);
	count(&d, ret);
	dump_end(&d);
	interrupt_release();
	findings_end(&ret->findings);
	return error;
}

void dump_free_parents(const struct options *options)
{
	AUTO(store_close) struct store *store = NULL;
	uint64_t size = 0;

	if (!options->auto_dedup || options->use_page_server ||
	    store_open_dir(options->images_dir_fd, false, &store) < 0)
		return;
	if (pages_free_in_parents(store, &size) == 0)
		log_info("Freed %" PRIu64 " bytes in the parent images", size);
}

/* All that can be undone, and the end of it one way or the other. */
static int dump_and_let_go(struct dump *d)
{
	struct findings findings = { 0 };
	int error, interrupted;

	findings_begin(&findings);
	error = dump_tree(d);
	findings_end(&findings);
	findings_done(&findings);
	if (error == 0 && actions_run(d->options, ACTION_POST_DUMP, d->options->pid) < 0)
		error = -ECANCELED;
	if (error == 0)
		error = give_memory(d);
	interrupted = interrupt_check_last();
	return let_go(d, interrupted < 0 ? interrupted : error);
}

int dump(const struct options *options)
{
	struct dump d = { 0 };
	int error;

	interrupt_catch("the tasks are left as they were");
	error = dump_begin(&d, options);
	if (error == 0)
		error = actions_run(options, ACTION_PRE_DUMP, options->pid);
	if (error == 0)
		error = dump_load_plugins(&d);
	if (error == 0)
		error = dump_and_let_go(&d);
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
	interrupt_release();
	return error;
}
