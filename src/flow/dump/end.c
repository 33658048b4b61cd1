/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of a dump. Until here everything can be taken back; then the tasks are killed, and nothing can fail any more.
 */
#include "flow/dump/end.h"
#include "flow/dump/inside.h"
#include "flow/dump/state.h"

#include <errno.h>
#include <inttypes.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/meter.h"
#include "base/urgent.h"
#include "engine/engine.h"
#include "flow/actions.h"
#include "flow/background.h"
#include "flow/dump/verify.h"
#include "flow/freeze/freezer.h"
#include "flow/freeze/thaw.h"
#include "flow/page-server.h"
#include "flow/stream.h"
#include "flow/tell.h"
#include "image/checksums.h"
#include "image/inventory.h"
#include "image/pipe/store-pipe.h"
#include "image/store-memory.h"
#include "image/store.h"
#include "image/table.h"
#include "object/memory/memory.h"
#include "object/socket/socket.h"
#include "pages/mover.h"
#include "plugin/plugin.h"
#include "session/listener.h"
#include "session/stats.h"

/*
 * What --lazy-pages left in the tasks is asked for by a client. Only its last word lets the tasks die: if it ends
 * without, what was restored lacks memory, and the tasks run on here.
 */
static int give_memory(struct dump *d)
{
	int result;

	if (!d->options->lazy_pages || listener_moves(d->listener))
		return 0;
	TRY(background_tell_ready(d->options, d->listener));
	log_info("Waiting for a client that asks for the %" PRIu64 " pages that were left", d->stats->pages_lazy);
	log_flush();
	meter_expect(d->meter, (int64_t)(d->stats->pages_lazy * page_size()));
	meter_limit(d->meter, d->options->bandwidth);
	urgent_end(); /* it is long */
	result = page_server_give(d->options, flow_dump_of(d)->page_listener, memory_lazy_supply(d), d->meter);
	TRY(result);
	if (!result)
		return refuse(ECONNRESET, "the client that was to take the memory has ended without saying that it has "
					  "it all: the tasks run on here");
	log_info("The client has all the memory that it needs");
	return 0;
}

/* The inventory is not there yet: its sum is that of what will be written. */
static int write_checksums(struct dump *d)
{
	AUTO(store_close) struct store *memory = store_create_memory();
	const void *data;
	size_t size;

	urgent_end(); /* of all memory: it is long */
	TRY(inventory_write(memory, d->inventory));
	data = store_find_file(memory, image_kind(IMAGE_INVENTORY)->file, &size);
	TRY(store_write_rest(dump_store(d))); /* it reads them */
	return checksums_write(dump_store(d), d->workers, data, size);
}

int dump_write_inventory(struct dump *d)
{
	TRY(phase_pass_dump(d, PHASE_dump_inventory, NULL, NULL));
	d->inventory->plugins = plugins_named(d->plugins, &d->inventory->n_plugins);
	/* Files of blocks have sums of their own. */
	if (d->options->checksum && !d->options->compression && !d->options->encrypt_to.n)
		TRY(write_checksums(d));
	else
		TRY(checksums_remove(dump_store(d)));
	return inventory_write(dump_store(d), d->inventory);
}

/* All images: nothing of them changes any more. */
static int complete_images(struct dump *d, bool moves)
{
	/* Last: a directory without an inventory is no checkpoint. */
	TRY(dump_write_inventory(d));
	if (!moves)
		TRY(dump_verify(d));
	TRY(phase_dump_take(d));
	if (d->n_taken) /* it was removed until what was taken is saved */
		TRY(dump_write_inventory(d));
	if (d->options->end != OPT_END_KILL)
		TRY(phase_dump_put_back(d));
	return stream_send(d);
}

static int prepare_end(struct dump *d)
{
	if (actions_run(d->options, d->listener, ACTION_POST_DUMP, d->options->pid) < 0)
		return -ECANCELED;
	return d->options->end != OPT_END_RUN ? phase_dump_lock(d) : 0;
}

static int commit_images(struct dump *d)
{
	TRY(complete_images(d, false));
	TRY(prepare_end(d));
	return give_memory(d);
}

/*
 * Whoever has them elsewhere by now says whether they may end here. The other side begins with the restore when it has
 * the mark of the stream; that is not what ends the tasks, so all else that takes time is done meanwhile.
 */
static int commit_move(struct dump *d)
{
	TRY(complete_images(d, true));
	TRY(stream_commit(d));
	TRY(prepare_end(d));
	TRY(dump_verify(d));
	return d->listener->leave(d->listener, d);
}

int dump_commit(struct dump *d)
{
	const bool moves = listener_moves(d->listener), asked = stream_is_asked_for(d);
	int error = moves ? commit_move(d) : commit_images(d), interrupted;

	if (error >= 0 && asked)
		error = stream_commit_and_ask(d);
	interrupted = interrupt_check_last();
	if (interrupted < 0)
		error = interrupted;
	if (error >= 0 && !moves && !asked)
		error = stream_commit(d);
	meter_end(d->meter);
	if (error < 0)
		inventory_remove(dump_store(d));
	return error;
}

static void unlock_network(struct dump *d)
{
	phase_dump_unlock(d);
	if (flow_dump_of(d)->network_cut_off)
		(void)actions_run(d->options, d->listener, ACTION_NETWORK_UNLOCK, d->options->pid); /* logged */
}

static void let_live(struct dump *d, bool stop)
{
	dump_inside_clear(d);
	freezer_end(&flow_dump_of(d)->freezer); /* those that were frozen do not run on */
	unlock_network(d);
	tell_goes_on(flow_dump_of(d)->tell);
	if (stop)
		stop_tree(d);
	else
		thaw_tree(d);
}

static void end_killed(struct dump *d)
{
	kill_tree(d);
	dump_inside_forget(d);
	freezer_end(&flow_dump_of(d)->freezer); /* frozen tasks do not die */
	stats_stop(d->stats, STATS_FROZEN);
	if (listener_moves(d->listener) && !d->listener->has_left)
		(void)actions_run(d->options, d->listener, ACTION_POST_MIGRATE, d->options->pid); /* logged */
	phase_dump_killed(d);
}

/* All that is wanted of them is known (what goes through a stream is read when it is sent), nothing is to be taken
 * away, and nobody was promised that they stand. */
static bool may_run_on(struct dump *d)
{
	return d->options->end == OPT_END_RUN && !d->options->lazy_pages && !store_is_pipe(dump_store(d)) &&
	       !d->listener && !d->options->action_scripts.n && !socket_may_take(d);
}

int dump_go_live(struct dump *d)
{
	if (!d->options->live && !may_run_on(d))
		return 0;
	TRY(interrupt_check());
	flow_dump_of(d)->running = true;
	let_live(d, false);
	stats_stop(d->stats, STATS_FROZEN);
	log_info("The tasks run on; %s", d->options->live ? "their memory, as it was, follows" : "images follow");
	log_flush();
	if (!d->options->live)
		return 0;
	TRY(phase_pass_dump(d, PHASE_dump_copy, NULL, NULL));
	meter_limit(d->meter, d->options->bandwidth);
	return memory_live_save(d);
}

void dump_let_go(struct dump *d, int error)
{
	const bool moves = listener_moves(d->listener);

	if (flow_dump_of(d)->running)
		return;
	if (error < 0 && d->n_taken)
		(void)phase_dump_put_back(d); /* logged */
	if (error < 0 && d->n_taken && moves)
		log_warn("What waited for accept(2) in a socket was taken out for the other side, and is closed: "
			 "clients "
			 "have to connect again");
	else if (error < 0 && d->n_taken)
		log_error("The tasks are left stopped: what waited for accept(2) in a socket was taken out already, "
			  "and is in no checkpoint now. kill -CONT lets them run on without those connections");
	d->left_stopped = error >= 0 && (d->left_stopped || d->options->end == OPT_END_STOP);
	if (error < 0)
		let_live(d, d->n_taken && !moves);
	else if (d->options->end == OPT_END_KILL && !d->left_stopped)
		end_killed(d);
	else
		let_live(d, d->left_stopped);
	stats_stop(d->stats, STATS_FROZEN);
}
