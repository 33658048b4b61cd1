/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of a program that comes: its rehearsal, its memory, its restore, which ends with the other side's word. */
#include "flow/migrate/arrive.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "flow/actions.h"
#include "flow/migrate/folder.h"
#include "flow/migrate/hello.h"
#include "flow/migrate/porter.h"
#include "flow/migrate/record.h"
#include "flow/migrate/words.h"
#include "flow/restore.h"
#include "flow/stream.h"
#include "flow/verify.h"
#include "kern/probe.h"
#include "options/options-check.h"
#include "options/options.h"
#include "session/listener.h"

#define DRAIN_S 5

struct newcomer {
	struct listener listener; /* of the restore; first */
	struct options own;	  /* ours, with those that came */
	struct wire *wire;
	struct migrate_folder folder;
	struct porter porter; /* --post-copy */
	char id[MIGRATION_ID_SIZE];
	unsigned rounds;
	int record;	/* -1: none yet */
	bool post_copy; /* it may be */
	bool partial;	/* it is: some memory follows */
	bool inner_pids;
	bool only_asked; /* nothing comes */
};

/* --- the last moments, in the restore --- */

static int ignore_action(struct listener *listener, const char *action, pid_t root)
{
	return 0;
}

/* All is there, nothing runs, and nothing is seen by others yet. */
static int await_commit(struct listener *listener, pid_t root)
{
	struct newcomer *newcomer = (struct newcomer *)listener;

	newcomer->record = record_create(newcomer->id);
	TRY(newcomer->record);
	TRY(wire_send(newcomer->wire, MIGRATE_READY, 0, NULL, 0));
	TRY(wire_expect(newcomer->wire, MIGRATE_COMMIT, WIRE_GRACE_S));
	TRY(interrupt_check_last());
	return record_move(newcomer->record, RECORD_READY, RECORD_COMMITTED, 0);
}

static void note_release(struct listener *listener, pid_t root)
{
	struct newcomer *newcomer = (struct newcomer *)listener;

	(void)record_move(newcomer->record, RECORD_COMMITTED, RECORD_RELEASING, newcomer->inner_pids ? 0 : root);
}

static void tell_resumed(struct listener *listener, pid_t root)
{
	struct newcomer *newcomer = (struct newcomer *)listener;

	(void)record_move(newcomer->record, RECORD_RELEASING, newcomer->partial ? RECORD_PARTIAL : RECORD_RESUMED,
			  newcomer->inner_pids ? 0 : root);
	/* If it cannot be heard, the other side will ask. */
	(void)wire_send(newcomer->wire, MIGRATE_RESUMED, newcomer->inner_pids ? 0 : (uint32_t)root, NULL, 0);
}

/* --- what comes --- */

/* Those of our own command line, then what came. The first two texts are the number and how memory comes. */
static int read_options(struct newcomer *newcomer, const struct options *base)
{
	struct wire *wire = newcomer->wire;
	const char *text = wire->payload.data, *how = text + strlen(text) + 1;
	size_t skipped = (size_t)(how - text);

	if (wire->payload.size < MIGRATION_ID_SIZE || wire->payload.data[wire->payload.size - 1] ||
	    skipped >= wire->payload.size || !record_is_id(text))
		return refuse(EPROTO, "what shall come is not said in a way that makes sense");
	snprintf(newcomer->id, sizeof(newcomer->id), "%s", text);
	newcomer->post_copy = !strcmp(how, "post-copy");
	newcomer->own.on_demand = newcomer->post_copy || !strcmp(how, "on-demand");
	skipped += strlen(how) + 1;
	TRY(words_apply(&newcomer->own, wire->payload.data + skipped, wire->payload.size - skipped));
	newcomer->own.command = CMD_RESTORE;
	newcomer->own.restore_detached = true;
	newcomer->own.images_dir_fd = base->images_dir_fd;
	newcomer->own.pidfile = NULL;
	newcomer->inner_pids = newcomer->own.new_pidns;
	options_are_for_all(&newcomer->own);
	return options_check(&newcomer->own);
}

static int check_on_demand(struct newcomer *newcomer)
{
	struct probes probes = { 0 };

	if (!newcomer->own.on_demand || probe_has(&probes, FEATURE_ID_uffd_noncoop))
		return 0;
	if (newcomer->post_copy)
		return refuse(EOPNOTSUPP, "this kernel lacks uffd-noncoop, which --post-copy needs");
	log_warn("This kernel lacks uffd-noncoop: the program will run when all of its memory is in place");
	newcomer->own.on_demand = false;
	return 0;
}

static int begin_arrival(struct newcomer *newcomer, const struct options *base)
{
	TRY(read_options(newcomer, base));
	TRY(check_on_demand(newcomer));
	TRY(folder_make(base, newcomer->id, true, &newcomer->folder));
	if (chdir(newcomer->folder.path) < 0)
		return fail_errno("the folder %s", newcomer->folder.path);
	if (newcomer->post_copy)
		TRY(porter_start(newcomer->wire, newcomer->id, newcomer->own.max_downtime, &newcomer->porter));
	TRY(actions_run(&newcomer->own, NULL, ACTION_PRE_ARRIVAL, 0));
	return wire_send(newcomer->wire, MIGRATE_FINE, 0, NULL, 0);
}

/* The directory stays open in own. */
static int receive_images(struct newcomer *newcomer, const char *name, const char *parent, struct options *own)
{
	*own = newcomer->own;
	own->images_dir_fd = folder_add(&newcomer->folder, name);
	TRY(own->images_dir_fd);
	own->stream = true;
	own->stream_fd = newcomer->wire->in;
	own->prev_images_dir = parent;
	return stream_receive(own);
}

static void add_findings(const struct findings *findings, struct buffer *text)
{
	for (size_t i = 0; i < findings->list.n; i++)
		buffer_printf(text, "%s%s%s%s", text->size ? "; " : "", findings->list.items[i].scopes,
			      *findings->list.items[i].scopes ? ": " : "", findings->list.items[i].text);
}

static int look_at_images(const struct options *own)
{
	AUTO(buffer_done) struct buffer text = { 0 };
	struct verified verified = { 0 };
	int error = verify_run(own, &verified);

	failure_reset(); /* said below, all at once */
	add_findings(&verified.damage, &text);
	add_findings(&verified.obstacles, &text);
	verify_done(&verified);
	return error < 0 ? refuse(EOPNOTSUPP, "a restore could not begin here: %s", text.size ? text.data : "?") : 0;
}

static int take_rehearsal(struct newcomer *newcomer)
{
	struct options own;
	int error = receive_images(newcomer, "rehearsal", NULL, &own);

	own.stream = false;
	own.prev_images_dir = NULL;
	if (error == 0)
		error = look_at_images(&own);
	if (own.images_dir_fd >= 0)
		close(own.images_dir_fd);
	TRY(error);
	return wire_send(newcomer->wire, MIGRATE_FINE, 0, NULL, 0);
}

static int take_round(struct newcomer *newcomer)
{
	struct options own;
	char name[16], parent[16];
	int error;

	snprintf(name, sizeof(name), "%u", newcomer->rounds + 1);
	snprintf(parent, sizeof(parent), "../%u", newcomer->rounds);
	error = receive_images(newcomer, name, newcomer->rounds ? parent : NULL, &own);
	if (own.images_dir_fd >= 0)
		close(own.images_dir_fd);
	TRY(error);
	newcomer->rounds++;
	return wire_send(newcomer->wire, MIGRATE_FINE, 0, NULL, 0);
}

static int restore_program(struct newcomer *newcomer)
{
	struct restored restored = { 0 };
	struct options own;
	char parent[16];
	int error;

	snprintf(parent, sizeof(parent), "../%u", newcomer->rounds);
	error = receive_images(newcomer, "final", newcomer->rounds ? parent : NULL, &own);
	own.stream = false;
	own.stream_fd = OPT_STREAM_STREAMER;
	own.prev_images_dir = NULL;
	if (error == 0 && newcomer->partial)
		error = porter_begin(&newcomer->porter, newcomer->wire);
	own.post_copy_fd = newcomer->partial ? newcomer->porter.pages : -1;
	if (error == 0)
		error = restore_run(&own, &newcomer->listener, &restored);
	if (own.images_dir_fd >= 0)
		close(own.images_dir_fd);
	return error;
}

static int take_program(struct newcomer *newcomer)
{
	for (;;) {
		TRY(wire_expect(newcomer->wire, MIGRATE_IMAGES, 0));
		switch (newcomer->wire->head.number) {
		case MIGRATE_REHEARSAL:
			TRY(take_rehearsal(newcomer));
			break;
		case MIGRATE_ROUND:
			TRY(take_round(newcomer));
			break;
		case MIGRATE_POST_COPY:
			if (!newcomer->post_copy)
				return refuse(EPROTO, "memory shall follow, but nobody has said that before");
			newcomer->partial = true;
			return restore_program(newcomer);
		case MIGRATE_FINAL:
			porter_end(&newcomer->porter, NULL);
			return restore_program(newcomer);
		case MIGRATE_NOTHING:
			newcomer->only_asked = true;
			return 0;
		default:
			return refuse(EPROTO, "images of a sort that nobody knows");
		}
	}
}

/* What it sends to us is read until it reads what we say: a socket with unread bytes throws both away. */
static void refuse_and_drain(struct wire *wire, const char *folder)
{
	const struct deadline deadline = deadline_in_seconds(DRAIN_S);
	AUTO(buffer_done) struct buffer line = { 0 };
	char *bytes = xmalloc(1 << 20);

	buffer_printf(&line, "%s", failure_error() ? failure_text() : "it has failed");
	if (failure_error() == ENOSPC)
		buffer_printf(&line, ": in %s. A larger place: --remote-dir with ssh, else --images-dir of --listen",
			      folder);
	if (wire_say(wire, MIGRATE_REFUSED, 0, line.data) == 0) {
		(void)shutdown(wire->out, SHUT_WR);
		while (interrupt_poll(wire->in, POLLIN, &deadline) > 0 && read(wire->in, bytes, 1 << 20) > 0)
			;
	}
	free(bytes);
}

static int answer_question(struct wire *wire)
{
	const bool more = wire->head.kind == MIGRATE_MORE;
	char text[16], id[MIGRATION_ID_SIZE];
	enum migrate_outcome outcome;
	pid_t root;

	if (!record_is_id(wire->payload.data))
		return refuse(EPROTO, "this is not what a migration is called");
	outcome = record_ask(wire->payload.data, &root);
	snprintf(id, sizeof(id), "%s", wire->payload.data);
	snprintf(text, sizeof(text), "%d", root);
	TRY(wire_say(wire, MIGRATE_OUTCOME, outcome, text));
	return more && outcome == MIGRATE_PARTIAL ? porter_help(id, wire) : 0;
}

static void arrival_done(struct newcomer *newcomer)
{
	(void)!chdir("/");
	folder_remove(&newcomer->folder);
	porter_end(&newcomer->porter, newcomer->wire);
	if (newcomer->record >= 0)
		close(newcomer->record);
	options_done(&newcomer->own);
}

/* The porter says it. */
static int await_memory(struct newcomer *newcomer)
{
	int result;

	auto_close(&newcomer->porter.pages);
	newcomer->porter.pages = -1;
	if (!newcomer->partial)
		return 0;
	log_message("Its memory follows\n");
	log_flush();
	result = wire_receive(newcomer->wire, 0);
	if (result > 0 && newcomer->wire->head.kind == MIGRATE_COMPLETE)
		return 0;
	return refuse(ECONNRESET, "the program %s could not get all of its memory, and was killed", newcomer->id);
}

/* It runs: whoever lost the connection may ask for it as long as there is a record. */
static int say_goodbye(struct newcomer *newcomer)
{
	folder_remove(&newcomer->folder);
	TRY(await_memory(newcomer));
	if (wire_receive(newcomer->wire, WIRE_GRACE_S) > 0 && newcomer->wire->head.kind == MIGRATE_BYE)
		record_remove(newcomer->id);
	else
		log_warn("The other side has not said that the program has ended there; it may ask for migration %s",
			 newcomer->id);
	return 0;
}

static int take_in(struct newcomer *newcomer, const struct options *base)
{
	int error = begin_arrival(newcomer, base);

	if (error == 0)
		error = take_program(newcomer);
	if (error == 0 && newcomer->only_asked) {
		(void)actions_run(&newcomer->own, NULL, ACTION_ARRIVAL_FAILED, 0); /* logged */
		log_message("Program %s does not come: it was only asked\n", newcomer->id);
		return 0;
	}
	if (error == 0) {
		(void)interrupt_check_last();
		log_message("Program %s has arrived\n", newcomer->id);
		return say_goodbye(newcomer);
	}
	if (newcomer->record < 0 || record_give_up(newcomer->record)) {
		if (newcomer->record >= 0)
			record_remove(newcomer->id);
		refuse_and_drain(newcomer->wire, newcomer->folder.path);
	}
	(void)actions_run(&newcomer->own, NULL, ACTION_ARRIVAL_FAILED, 0); /* logged */
	log_error("Taking in a program FAILED. Nothing of it is left here.");
	return error;
}

int arrival_serve(const struct options *base, struct wire *wire)
{
	struct newcomer newcomer = { .wire = wire, .folder.fd = -1, .record = -1, .porter = PORTER_NONE };
	int error;

	newcomer.listener = (struct listener){ .notify = ignore_action,
					       .arrive = await_commit,
					       .release = note_release,
					       .arrived = tell_resumed,
					       .connection = -1 };
	interrupt_catch("nothing of the program is left here");
	TRY(hello_as_server(wire));
	error = wire_receive(wire, WIRE_GRACE_S);
	if (error <= 0)
		return error < 0 ? error : refuse(ECONNRESET, "the other side has ended before it said what it wants");
	if (wire->head.kind == MIGRATE_ASK || wire->head.kind == MIGRATE_MORE)
		return answer_question(wire);
	TRY(wire_check(wire, MIGRATE_BEGIN));
	options_init(&newcomer.own);
	error = options_parse(&newcomer.own, base->argc, base->argv);
	if (error == 0)
		error = take_in(&newcomer, base);
	arrival_done(&newcomer);
	return error;
}
