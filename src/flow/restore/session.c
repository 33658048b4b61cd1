/* SPDX-License-Identifier: GPL-2.0-only */
/* What a restore begins and ends with. */
#include "flow/plugin-threads.h"
#include "flow/restore/session.h"

#include <errno.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/workers.h"
#include "engine/engine.h"
#include "flow/stream.h"
#include "image/inventory.h"
#include "kern/net/libnftables.h"
#include "kern/proc/children.h"
#include "kern/proc/proc.h"
#include "lib/compel/restorer.h"
#include "object/namespace/namespace.h"
#include "plugin/plugin.h"
#include "session/stats.h"
#include "session/transfer.h"

int restore_begin(struct restore *r, const struct options *options)
{
	restore_session_begin(r, options);
	TRY(namespaces_restore_begin(r));
	if (options->log_pid)
		log_split(options->log_file);
	(void)fd_raise_limit();
	return stream_or_images_open(options, r->listener, false, &r->store);
}

void restore_end(struct restore *r)
{
	phase_restore_end(r);
	restorer_arena_close(&r->arena);
	restore_session_end(r);
	workers_destroy(&r->workers);
}

#define FD_CAPACITY 16384 /* more than that is rare, and only slower */

/* Threads of ours must not hold a tid that a task wants; then we do without them. */
int restore_make_workers(struct restore *r)
{
	AUTO(proc_pids_done) struct proc_pids own = { 0 };
	AUTO_CLOSE int proc = proc_open(getpid());

	TRY(proc);
	fd_reserve(FD_CAPACITY);
	libnftables_keep_room();
	transfer_begin(r->meter, "restore", r->options, r->listener);
	r->workers = workers_create(0);
	TRY(proc_threads_read(proc, &own));
	for (size_t i = 0; i < own.n && !r->facts->inner_pids; i++) {
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

int restore_load_plugins(struct restore *r)
{
	const struct plugin_run run = {
		.stage = CR_PLUGIN_STAGE__RESTORE,
		.libdir = r->options->libdir,
		.images_dir_fd = r->options->images_dir_fd,
		.has_names = r->inventory->has_plugins,
		.names = r->inventory->plugins,
		.n_names = r->inventory->n_plugins,
		.timeout = r->options->timeout,
		.host = &restore_plugin_host,
		.session = r,
	};

	return plugins_load(&run, &r->plugins);
}
