/* SPDX-License-Identifier: GPL-2.0-only */
/* What every dump, pre-dump and survey begins and ends with. */
#include "flow/plugin-threads.h"
#include "flow/dump/session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/meter.h"
#include "base/workers.h"
#include "engine/engine.h"
#include "flow/dump/state.h"
#include "flow/dump/verify.h"
#include "flow/host.h"
#include "flow/page-server.h"
#include "flow/stream.h"
#include "image/inventory.h"
#include "image/store-nowhere.h"
#include "image/store.h"
#include "kern/net/libnftables.h"
#include "kern/proc/file-iter.h"
#include "kern/task-iter.h"
#include "lib/compel/parasite-call.h"
#include "lib/compel/watch.h"
#include "object/memory/memory.h"
#include "pages/dedup.h"
#include "pages/sink-socket.h"
#include "plugin/plugin.h"
#include "session/listener.h"
#include "session/stats.h"
#include "session/transfer.h"

#define FD_CAPACITY 16384 /* more than that is rare, and only slower */

/* The memory goes to one, or we shall be one for it. */
static int prepare_page_server(struct dump *d)
{
	struct peer_place place = page_server_place(d->options);
	struct page_sink *sink;
	uint16_t port;
	int listener;

	place.grace = d->options->timeout; /* tasks stand still meanwhile */
	if (d->options->use_page_server && !d->options->lazy_pages) {
		TRY(page_sink_to_server(&place, &sink));
		memory_dump_to_server(d, sink);
		return 0;
	}
	if (!d->options->lazy_pages || place.fd >= 0 || listener_moves(d->listener))
		return 0;
	listener = peer_listen(&place, &port);
	TRY(listener);
	flow_dump_of(d)->page_listener = listener;
	return 0;
}

int dump_begin(struct dump *d, const struct options *options)
{
	struct store *store = NULL;

	dump_session_begin(d, options);
	flow_dump_begin(d);
	d->parasite_cache = parasite_cache_create();
	d->kcmp_vm = kcmp_tree_create(KCMP_VM);
	d->kcmp_files = kcmp_tree_create(KCMP_FILES);
	d->kcmp_fs = kcmp_tree_create(KCMP_FS);
	d->kcmp_sighand = kcmp_tree_create(KCMP_SIGHAND);
	/* Before there are threads, and descriptors to be copied. */
	if (!d->progress->only_look && parasite_watch_start(options->stream_fd, &d->watch) < 0)
		log_warn("should criu be killed, its memory may stay in the tasks until the next dump");
	(void)fd_raise_limit(); /* copies of sockets in queues and of pipes are kept for a while */
	fd_reserve(FD_CAPACITY);
	libnftables_keep_room();
	d->workers = workers_create(0);
	d->task_iter = task_iter_create();
	d->file_iter = file_iter_create();
	d->progress->deadline = deadline_in_seconds(options->timeout);
	d->inventory = pool_new(d->pool, struct inventory);
	TRY(inventory_make_run_id(d->inventory->run_id));
	log_info("Run id %s", d->inventory->run_id);
	d->inventory->equal_pages = options->equal_pages;
	d->inventory->tcp_close = options->tcp_close;
	d->inventory->allow_uprobes = options->allow_uprobes;
	host_note_security(d);
	TRY(phase_dump_begin(d));
	if (d->progress->only_look) {
		dump_set_store(d, store_create_nowhere());
		return 0;
	}
	transfer_begin(d->meter, options->command == CMD_PRE_DUMP ? "pre-dump" : "dump", options, d->listener);
	/* The last part of a move is small, and the tasks stand still for it. */
	if (options->command == CMD_DUMP && !options->live && !options->lazy_pages && !listener_moves(d->listener))
		meter_limit(d->meter, options->bandwidth);
	/* Better now than when the tasks stand still. */
	TRY(prepare_page_server(d));
	if (faccessat(options->images_dir_fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return fail_errno("the images directory %s cannot be written to", options->images_dir);
	TRY(stream_or_images_open(options, d->listener, true, &store));
	dump_set_store(d, store);
	TRY(store_write_behind(store));
	return phase_dump_prepare(d);
}

void dump_end(struct dump *d)
{
	if (flow_dump_of(d))
		dump_verify_end(&flow_dump_of(d)->verify);
	phase_dump_end(d);
	parasite_watch_dismiss(d->watch); /* it ends while we clear up */
	dump_session_end(d);
	workers_destroy(&d->workers);
	task_iter_destroy(&d->task_iter);
	file_iter_destroy(&d->file_iter);
	parasite_cache_destroy(&d->parasite_cache);
	parasite_watch_end(&d->watch);
	kcmp_tree_destroy(&d->kcmp_vm);
	kcmp_tree_destroy(&d->kcmp_files);
	kcmp_tree_destroy(&d->kcmp_fs);
	kcmp_tree_destroy(&d->kcmp_sighand);
}

int dump_load_plugins(struct dump *d)
{
	const struct plugin_run run = {
		.stage = d->options->command == CMD_PRE_DUMP ? CR_PLUGIN_STAGE__PRE_DUMP : CR_PLUGIN_STAGE__DUMP,
		.libdir = d->options->libdir,
		.images_dir_fd = d->options->images_dir_fd,
		.timeout = d->options->timeout,
		.host = &dump_plugin_host,
		.session = d,
	};

	return plugins_load(&run, &d->plugins);
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
