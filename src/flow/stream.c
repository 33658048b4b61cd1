/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a dump writes its images, and a restore reads them; and how those end that are one stream. */
#include "flow/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/meter.h"
#include "base/urgent.h"
#include "engine/engine.h"
#include "flow/actions.h"
#include "image/blocks/store-blocks.h"
#include "image/inventory.h"
#include "image/pipe/pipe-read.h"
#include "image/pipe/pipe-write.h"
#include "image/pipe/store-pipe.h"
#include "image/store-streamer.h"
#include "image/store.h"
#include "object/memory/memory.h"
#include "options/options.h"
#include "session/images.h"
#include "session/transfer.h"

/* Who takes nothing for so long will not come back; tasks stand still meanwhile. */
#define GRACE_MIN 60u

static int open_pipe(const struct options *options, bool for_writing, struct store **ret)
{
	const unsigned usual = options->timeout && options->timeout < GRACE_MIN ? GRACE_MIN : options->timeout;
	const unsigned grace = options->stream_grace ?: usual;
	int fd = fcntl(options->stream_fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return fail_errno("--stream: descriptor %d cannot be used", options->stream_fd);
	return store_open_pipe(fd, options->images_dir_fd, for_writing, grace, ret);
}

int stream_or_images_open(const struct options *options, struct listener *listener, bool for_writing,
			  struct store **ret)
{
	struct store *parent;

	if (!options->stream)
		return images_open(options, for_writing, ret);
	TRY(actions_run(options, listener, ACTION_PRE_STREAM, options->pid));
	if (options->stream_fd == OPT_STREAM_STREAMER)
		TRY(store_open_streamer(options->images_dir_fd, for_writing, ret));
	else
		TRY(open_pipe(options, for_writing, ret));
	store_decrypt_with(*ret, options->decrypt_with);
	if (!for_writing && options->prev_images_dir)
		TRY(store_set_parent(*ret, options->prev_images_dir, &parent));
	return 0;
}

int stream_send(struct dump *d)
{
	if (!store_is_pipe(dump_store(d)))
		return 0;
	urgent_end(); /* it is long */
	TRY(phase_pass_dump(d, PHASE_dump_send, NULL, NULL));
	if (d->inventory->n_plugins)
		log_warn("--stream: files that plugins have written into the images directory are not in the stream");
	TRY(store_pipe_send_records(dump_store(d)));
	return memory_send_pages(d);
}

/* A directory of images with the parent that was named for them. */
static int link_parent(const struct options *options)
{
	AUTO(store_close) struct store *store = NULL;
	struct store *parent;

	if (!options->prev_images_dir)
		return 0;
	TRY(store_open_dir(options->images_dir_fd, true, &store));
	return store_set_parent(store, options->prev_images_dir, &parent);
}

/* What a later dump with --prev-images-dir wants to know. */
static int keep_images(struct dump *d)
{
	TRY(link_parent(d->options));
	return store_pipe_keep(dump_store(d), d->options->images_dir_fd);
}

int stream_commit(struct dump *d)
{
	if (!store_is_pipe(dump_store(d)))
		return 0;
	if (d->options->track_mem || d->options->command == CMD_PRE_DUMP)
		TRY(keep_images(d));
	return store_pipe_commit(dump_store(d));
}

/* The descriptor of a client stays its own, and so does that of a migration. */
bool stream_is_asked_for(struct dump *d)
{
	return store_is_pipe(dump_store(d)) && d->options->action_scripts.n && !d->listener;
}

int stream_commit_and_ask(struct dump *d)
{
	TRY(interrupt_check());
	TRY(stream_commit(d));
	/* Who reads it waits for its end. */
	store_pipe_end(dump_store(d));
	close(d->options->stream_fd);
	return actions_run(d->options, NULL, ACTION_POST_STREAM, d->options->pid);
}

int stream_read_rest(struct restore *r)
{
	return store_is_pipe(r->store) ? store_pipe_read_rest(r->store) : 0;
}

int stream_receive(const struct options *options)
{
	AUTO(store_close) struct store *store = NULL;
	struct meter meter;
	int result;

	transfer_begin(&meter, "receive", options, NULL);
	meter_limit(&meter, options->bandwidth);
	TRY(open_pipe(options, false, &store));
	TRY(link_parent(options));
	result = store_pipe_unpack(store, options->images_dir_fd, &meter);
	meter_end(&meter);
	return result;
}
