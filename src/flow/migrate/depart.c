/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last moments of a program here. The rule: it runs on here until the commit word is sent. From then on it runs
 * nowhere until the other side has said what has become of it; whoever cannot be asked leaves it stopped, and says so.
 * With --post-copy it stands still here, whole, until the other side has said that it has all memory.
 */
#include "flow/migrate/depart.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/deadline.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/meter.h"
#include "base/page.h"
#include "base/text.h"
#include "flow/actions.h"
#include "flow/freeze/thaw.h"
#include "flow/migrate/hello.h"
#include "image/inventory.h"
#include "object/memory/memory.h"
#include "options/options.h"
#include "session/session.h"
#include "session/stats.h"

/* Until the tasks run there: scripts may run before that. Who can be asked by another connection is asked soon. */
#define ANSWER_S     10
#define ASK_AGAIN_US 300000

/* What a dump tells and asks goes to the client. */
static int pass_action(struct listener *listener, const char *action, pid_t root)
{
	struct listener *client = ((struct departure *)listener)->client;

	return client ? client->notify(client, action, root) : 0;
}

static int pass_question(struct listener *listener, struct pool *pool, struct opt_list *ret)
{
	struct listener *client = ((struct departure *)listener)->client;

	return client ? client->query_external(client, pool, ret) : 0;
}

static void pass_progress(struct listener *listener, const struct meter_report *report)
{
	struct listener *client = ((struct departure *)listener)->client;

	client->progress(client, report);
}

/* Seconds until --max-downtime is over, at least one; 0: no limit. */
static unsigned seconds_left(const struct departure *departure, const struct dump *d)
{
	uint64_t stood = (clock_now_ns() - d->stats->began[STATS_FROZEN]) / 1000000000;
	unsigned limit = departure->options->max_downtime;

	if (!limit)
		return 0;
	return stood + 1 < limit ? limit - (unsigned)stood : 1;
}

static int await_ready(struct departure *departure, const struct dump *d)
{
	int result = giving_receive(&departure->giving, departure->wire, seconds_left(departure, d));

	if (result == -ETIMEDOUT)
		return refuse(
			ETIMEDOUT,
			"the other side has not restored the program within --max-downtime, %u s: it runs on here",
			departure->options->max_downtime);
	TRY(result);
	if (result == 0)
		return refuse(ECONNRESET,
			      "the other side has ended, or the connection is lost: the program runs on here");
	return wire_check(departure->wire, MIGRATE_READY);
}

static int ask_place(const struct options *options, const struct migrate_place *place, enum migrate_kind how,
		     const char *id, struct wire *wire, enum migrate_outcome *ret, pid_t *ret_root)
{
	int root = 0;

	TRY(place_connect(options, place, wire));
	TRY(hello_as_client(wire));
	TRY(wire_say(wire, how, 0, id));
	TRY(wire_expect(wire, MIGRATE_OUTCOME, WIRE_GRACE_S));
	if (wire->head.number > MIGRATE_LOST || text_to_int(wire->payload.data, &root) < 0)
		return refuse(EPROTO, "the other side says something that makes no sense");
	*ret = (enum migrate_outcome)wire->head.number;
	*ret_root = root;
	return 0;
}

int departure_ask(const struct options *options, const struct migrate_place *place, const char *id,
		  enum migrate_outcome *ret, pid_t *ret_root)
{
	AUTO(wire_close) struct wire wire = WIRE_NONE;

	return ask_place(options, place, MIGRATE_ASK, id, &wire, ret, ret_root);
}

/* The connection has broken behind the commit word. If memory is still to follow, it does so by the new one. */
static enum migrate_outcome ask_again(struct departure *departure)
{
	const bool gives = departure->giving.supply;
	const unsigned limit = departure->options->max_downtime;
	const struct deadline deadline = deadline_in_seconds(gives ? limit : limit ?: WIRE_GRACE_S);
	enum migrate_outcome outcome = MIGRATE_UNKNOWN;

	wire_close(departure->wire);
	if (!place_can_be_found_again(departure->place))
		return MIGRATE_UNKNOWN;
	(void)!fchdir(departure->home);
	log_warn("The connection was lost in the last moment: asking the other side what has become of the program");
	log_flush();
	while (ask_place(departure->options, departure->place, gives ? MIGRATE_MORE : MIGRATE_ASK, departure->id,
			 departure->wire, &outcome, &departure->root) < 0) {
		wire_close(departure->wire);
		if (deadline_passed(&deadline))
			return MIGRATE_UNKNOWN;
		usleep(ASK_AGAIN_US);
	}
	if (outcome != MIGRATE_PARTIAL)
		wire_close(departure->wire);
	return outcome;
}

static enum migrate_outcome commit_move(struct departure *departure)
{
	const unsigned seconds = place_can_be_found_again(departure->place) ? ANSWER_S : WIRE_GRACE_S;
	struct wire *wire = departure->wire;

	if (wire_send(wire, MIGRATE_COMMIT, 0, NULL, 0) < 0 || giving_receive(&departure->giving, wire, seconds) <= 0)
		return ask_again(departure);
	departure->root = (pid_t)wire->head.number;
	if (wire_check(wire, MIGRATE_RESUMED) == 0)
		return departure->giving.supply ? MIGRATE_PARTIAL : MIGRATE_RUNS_THERE;
	return wire->head.kind == MIGRATE_REFUSED ? MIGRATE_NEVER : ask_again(departure);
}

/* --- --post-copy --- */

static enum migrate_outcome give_some(struct departure *departure)
{
	struct wire *wire = departure->wire;
	int result = giving_receive(&departure->giving, wire, WIRE_GRACE_S);

	if (result > 0 && wire->head.kind == MIGRATE_COMPLETE)
		return MIGRATE_RUNS_THERE;
	if (result > 0 && wire->head.kind == MIGRATE_GONE)
		return MIGRATE_LOST;
	return ask_again(departure);
}

/* It runs there, what it has not got stands still here. */
static enum migrate_outcome give_rest(struct departure *departure, struct dump *d)
{
	const uint64_t left = d->stats->pages_lazy * page_size();
	enum migrate_outcome outcome = MIGRATE_PARTIAL;

	log_message("It runs on the other side, after it stood still for %.1f ms; %.1f MiB of memory follow\n",
		    (double)departure->stood_ns / 1e6, (double)left / 1048576);
	log_flush();
	(void)actions_run(d->options, departure->client, ACTION_POST_MIGRATE, d->options->pid); /* logged */
	departure->listener.has_left = true;
	meter_expect(d->meter, (int64_t)left);
	meter_limit(d->meter, d->options->bandwidth);
	departure->giving.meter = d->meter;
	while (outcome == MIGRATE_PARTIAL)
		outcome = give_some(departure);
	return outcome;
}

/* --- */

/* For criu undo, should it never be known what has become of it. */
static void note_left(const struct departure *departure, const struct dump *d)
{
	struct left_note note = { .root = departure->options->pid, .lock = d->inventory->lock };

	snprintf(note.id, sizeof(note.id), "%s", departure->id);
	snprintf(note.run_id, sizeof(note.run_id), "%s", d->inventory->run_id);
	snprintf(note.destination, sizeof(note.destination), "%s", departure->options->destination);
	record_note_left(&note);
}

static int leave_tree(struct listener *listener, struct dump *d)
{
	struct departure *departure = (struct departure *)listener;

	*departure->stats = *d->stats;
	if (d->options->lazy_pages)
		departure->giving.supply = memory_lazy_supply(d);
	TRY(await_ready(departure, d));
	TRY(interrupt_check_last());
	TRY(fail_point("migrate/commit"));
	/* Should we be killed now, the kernel lets them go, and they must not run. */
	hold_tree(d);
	note_left(departure, d);
	departure->outcome = commit_move(departure);
	departure->stood_ns = clock_now_ns() - d->stats->began[STATS_FROZEN];
	if (departure->outcome == MIGRATE_PARTIAL)
		departure->outcome = give_rest(departure, d);
	if (departure->outcome == MIGRATE_UNKNOWN || departure->outcome == MIGRATE_LOST) {
		d->left_stopped = true;
		return 0;
	}
	record_forget_left(departure->id);
	if (departure->outcome == MIGRATE_RUNS_THERE)
		return 0;
	unhold_tree(d);
	return refuse(ECANCELED, "the other side has not taken the program over: it runs on here");
}

void departure_init(struct departure *departure, struct listener *client)
{
	departure->outcome = MIGRATE_NEVER;
	departure->listener = (struct listener){
		.notify = pass_action,
		.query_external = pass_question,
		.leave = leave_tree,
		.progress = client && client->progress ? pass_progress : NULL,
		.connection = client ? client->connection : -1,
	};
	departure->client = client;
}
