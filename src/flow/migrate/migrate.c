/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of a program that goes: a rehearsal, rounds of its memory, the last moments (depart.c). */
#include "flow/migrate/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/pool.h"
#include "flow/actions.h"
#include "flow/dump.h"
#include "flow/dump/pre-dump.h"
#include "flow/migrate/depart.h"
#include "flow/migrate/folder.h"
#include "flow/migrate/hello.h"
#include "flow/migrate/words.h"
#include "flow/undo.h"
#include "image/inventory.h"
#include "options/options.h"
#include "pages/mover.h"
#include "session/stats.h"

/* A round that sends more than this part of the one before is no progress. */
#define SHRINKS_TO(bytes) ((bytes) / 4 * 3)

struct migration {
	const struct options *options;
	struct migrate_place place;
	struct wire wire;
	struct migrate_folder folder;
	struct listener *listener; /* the client, or NULL */
	struct migration_facts *facts;
	bool post_copy; /* what is left follows when it runs there */
	bool tracked;	/* the tasks have trackers of their memory, or may have them */
	uint64_t began_ns;
};

static uint64_t bytes_of(const struct stats *stats)
{
	return (stats->pages_written + stats->shpages_written) * page_size();
}

static double ms_since(uint64_t began_ns)
{
	return (double)(clock_now_ns() - began_ns) / 1e6;
}

/* --- agreeing --- */

static int begin_migration(struct migration *m)
{
	AUTO(buffer_done) struct buffer words = { 0 };
	const char *how;

	buffer_append(&words, m->facts->id, strlen(m->facts->id) + 1);
	how = m->options->memory_first ? "memory-first" : m->options->post_copy ? "post-copy" : "on-demand";
	buffer_append(&words, how, strlen(how) + 1);
	words_collect(m->options, &words);
	TRY(wire_send(&m->wire, MIGRATE_BEGIN, 0, words.data, words.size));
	return wire_expect(&m->wire, MIGRATE_FINE, WIRE_GRACE_S);
}

/* What dumps of all sorts have in common here. The directory is closed by the caller. */
static int prepare_dump(struct migration *m, const char *name, enum migrate_images images, struct options *own)
{
	*own = *m->options;
	own->stream = true;
	own->stream_fd = m->wire.out;
	own->stream_grace = m->options->max_downtime;
	own->equal_pages = false;
	/* Nobody else will look for these rules, and iptables would be run four times while the tasks stand still. */
	if (!options_are_given(m->options, "network-lock"))
		own->network_lock = OPT_LOCK_NFTABLES;
	own->images_dir_fd = folder_add(&m->folder, name);
	TRY(own->images_dir_fd);
	TRY(fail_point("migrate/images"));
	return wire_send(&m->wire, MIGRATE_IMAGES, images, NULL, 0);
}

/* A whole checkpoint but for its memory, while the tasks stand still for a moment: the other side looks at it. */
static int run_rehearsal(struct migration *m)
{
	const uint64_t began = clock_now_ns();
	struct options own;
	int error;

	if (!m->options->rehearsal && !m->options->dry_run)
		return 0;
	error = prepare_dump(m, "rehearsal", MIGRATE_REHEARSAL, &own);
	own.command = CMD_DUMP;
	own.end = OPT_END_RUN;
	own.no_content = true;
	own.tell_timeout = 0;
	own.cpu_cap |= OPT_CPU_IMAGE;
	own.action_scripts = (struct opt_list){ 0 };
	if (error == 0)
		error = dump_run(&own, NULL);
	if (own.images_dir_fd >= 0)
		close(own.images_dir_fd);
	TRY(error);
	TRY(wire_expect(&m->wire, MIGRATE_FINE, WIRE_WORK_S));
	log_message("The other side can take it: asked in %.0f ms\n", ms_since(began));
	return 0;
}

/* --- rounds --- */

static void count_round(struct migration_facts *facts, uint64_t bytes, uint64_t paused_ns)
{
	facts->rounds++;
	facts->bytes += bytes;
	if (paused_ns > facts->paused_ns)
		facts->paused_ns = paused_ns;
}

static int run_round(struct migration *m, uint64_t *ret_bytes)
{
	struct migration_facts *facts = m->facts;
	const uint64_t began = clock_now_ns();
	struct stats stats = { 0 };
	struct options own;
	char name[16], before[16];
	int error;

	snprintf(name, sizeof(name), "%u", facts->rounds + 1);
	snprintf(before, sizeof(before), "../%u", facts->rounds);
	error = prepare_dump(m, name, MIGRATE_ROUND, &own);
	own.command = CMD_PRE_DUMP;
	own.end = OPT_END_RUN;
	own.track_mem = true;
	own.keep_tracker = facts->rounds > 0;
	own.prev_images_dir = facts->rounds ? before : NULL;
	m->tracked = true;
	if (error == 0)
		error = pre_dump(&own, m->listener, &stats);
	if (own.images_dir_fd >= 0)
		close(own.images_dir_fd);
	TRY(error);
	TRY(wire_expect(&m->wire, MIGRATE_FINE, WIRE_WORK_S));
	*ret_bytes = bytes_of(&stats);
	count_round(facts, *ret_bytes, stats.took[STATS_FROZEN]);
	log_message("Round %u: %.1f MiB in %.0f ms; it stood still for %.1f ms\n", facts->rounds,
		    (double)*ret_bytes / 1048576, ms_since(began), (double)stats.took[STATS_FROZEN] / 1e6);
	return 0;
}

/* Until what is left is small, or gets no smaller. */
static int run_rounds(struct migration *m)
{
	uint64_t bytes = 0, before = UINT64_MAX;

	m->post_copy = m->options->post_copy != OPT_POST_COPY_NEVER;
	while (m->facts->rounds < m->options->max_rounds) {
		TRY(interrupt_check());
		TRY(run_round(m, &bytes));
		if (bytes <= m->options->round_size) {
			m->post_copy = m->options->post_copy == OPT_POST_COPY_ALWAYS;
			return 0;
		}
		if (m->facts->rounds > 1 && bytes > SHRINKS_TO(before)) {
			log_info("It changes as fast as it can be sent: no more rounds");
			return 0;
		}
		before = bytes;
	}
	return 0;
}

/* --- the end --- */

static void tell_end(const struct migration_facts *facts)
{
	char process[32] = "";

	if (facts->root > 0)
		snprintf(process, sizeof(process), ", as process %d", facts->root);
	log_message("It runs on the other side%s: %u round%s, %.1f MiB of memory in %.0f ms; it stood still for "
		    "%.1f ms\n",
		    process, facts->rounds, facts->rounds == 1 ? "" : "s", (double)facts->bytes / 1048576,
		    (double)facts->took_ns / 1e6, (double)facts->stood_ns / 1e6);
}

/* Whoever has the log in a file must hear it as well. */
static __attribute__((format(printf, 2, 3))) void tell_failure(const struct migration *m, const char *format, ...)
{
	const char *log = m->options->log_file;
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_error("%s", text);
	if (log && strcmp(log, "-") != 0 && !m->listener)
		log_message("%s\n", text);
}

static void tell_doubt(const struct migration *m)
{
	tell_failure(m,
		     "It is not known whether the program runs on the other side: it stands still here (SIGSTOP), with "
		     "its network locked. Ask there: criu migrate --ask %s %s",
		     m->facts->id, m->options->destination);
	tell_failure(
		m,
		"If it runs there: kill -KILL %d and all below it, then criu undo. If it does not: criu undo -t %d "
		"--discard. Never both",
		m->options->pid, m->options->pid);
}

/* It has run there. */
static void tell_lost(const struct migration *m)
{
	tell_failure(m,
		     "It ran on the other side, but could not get all of its memory from here, and was killed there. "
		     "Here it stands still (SIGSTOP) as it was when it left, with its network locked");
	tell_failure(
		m,
		"To go on from there, without what it has done since: criu undo -t %d --discard. Else kill -KILL %d "
		"and all below it, then criu undo",
		m->options->pid, m->options->pid);
}

static int send_final(struct migration *m, struct departure *departure)
{
	struct options own;
	char before[16];
	struct stats stats = { 0 };
	int error;

	snprintf(before, sizeof(before), "../%u", m->facts->rounds);
	error = prepare_dump(m, "final", m->post_copy ? MIGRATE_POST_COPY : MIGRATE_FINAL, &own);
	own.command = CMD_DUMP;
	own.end = OPT_END_KILL;
	own.lazy_pages = m->post_copy;
	own.prev_images_dir = m->facts->rounds ? before : NULL;
	own.display_stats = false;
	departure->stats = &stats;
	if (error == 0)
		error = dump_run(&own, &departure->listener);
	m->facts->bytes += bytes_of(&stats) + departure->giving.bytes;
	if (own.images_dir_fd >= 0)
		close(own.images_dir_fd);
	return error;
}

static int run_migration(struct migration *m, struct departure *departure)
{
	TRY(place_connect(m->options, &m->place, &m->wire));
	TRY(hello_as_client(&m->wire));
	if (fchdir(m->folder.fd) < 0) /* statistics and the like */
		return fail_errno("the folder %s", m->folder.path);
	TRY(begin_migration(m));
	TRY(run_rehearsal(m));
	if (m->options->dry_run)
		return wire_send(&m->wire, MIGRATE_IMAGES, MIGRATE_NOTHING, NULL, 0);
	TRY(run_rounds(m));
	return send_final(m, departure);
}

/* Nothing of ours stays in tasks that run on here. */
static void take_trackers_away(struct migration *m)
{
	struct undone undone = { 0 };
	struct options own = *m->options;

	if (!m->tracked)
		return;
	own.command = CMD_UNDO;
	own.freeze_cgroup = NULL;
	own.images_dir_fd = m->folder.fd;
	if (undo_run(&own, &undone) < 0)
		log_warn("Something may be left in the tasks: criu undo -t %d takes it away", m->options->pid);
	undo_done(&undone);
}

static bool is_there(pid_t pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

static enum migrated end_migration(struct migration *m, const struct departure *departure, int error)
{
	m->facts->took_ns = clock_now_ns() - m->began_ns;
	m->facts->stood_ns = departure->stood_ns;
	m->facts->root = departure->root;
	if (departure->outcome == MIGRATE_RUNS_THERE) {
		if (m->wire.out >= 0)
			(void)wire_send(&m->wire, MIGRATE_BYE, 0, NULL, 0); /* it may keep its record */
		tell_end(m->facts);
		return MIGRATED;
	}
	if (m->options->dry_run && error == 0) {
		log_message("The program stays here: it was only asked\n");
		return MIGRATED;
	}
	if (departure->outcome == MIGRATE_UNKNOWN) {
		tell_doubt(m);
		return MIGRATE_IN_DOUBT;
	}
	if (departure->outcome == MIGRATE_LOST) {
		tell_lost(m);
		return MIGRATE_WAS_LOST;
	}
	if (error == -EPIPE || error == -ECONNRESET)
		wire_tell_reason(&m->wire);
	take_trackers_away(m);
	(void)actions_run(m->options, m->listener, ACTION_MIGRATE_FAILED, m->options->pid); /* logged */
	tell_failure(m, "Migrating FAILED.%s", is_there(m->options->pid) ? " The program runs on here." : "");
	return MIGRATE_STAYED;
}

enum migrated migrate_tree(const struct options *options, struct listener *listener, struct migration_facts *ret)
{
	struct migration m = { .options = options,
			       .listener = listener,
			       .facts = ret,
			       .wire = WIRE_NONE,
			       .folder.fd = -1,
			       .began_ns = clock_now_ns() };
	AUTO_CLOSE int home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct departure departure = {
		.options = options, .place = &m.place, .wire = &m.wire, .id = ret->id, .home = home
	};
	int error;

	*ret = (struct migration_facts){ .result = MIGRATE_STAYED };
	interrupt_catch("the program runs on here");
	departure_init(&departure, listener);
	error = is_there(options->pid) ? 0 : refuse(ESRCH, "there is no process %d", options->pid);
	if (error == 0)
		error = place_parse(options, options->destination, &m.place);
	if (error == 0)
		error = inventory_make_run_id(ret->id);
	if (error == 0)
		error = folder_make(options, ret->id, false, &m.folder);
	if (error == 0)
		log_message("Migration %s\n", ret->id);
	if (error == 0)
		error = run_migration(&m, &departure);
	ret->result = end_migration(&m, &departure, error);
	wire_close(&m.wire);
	(void)!fchdir(departure.home);
	folder_remove(&m.folder);
	return ret->result;
}

static enum migrated tell_answer(enum migrate_outcome outcome, pid_t root)
{
	switch (outcome) {
	case MIGRATE_RUNS_THERE:
		log_message("It runs there, or has run (process %d): kill what stands still here\n", root);
		return MIGRATED;
	case MIGRATE_NEVER:
		log_message("It does not run there, and never will: what stands still here may go on\n");
		return MIGRATE_STAYED;
	case MIGRATE_PARTIAL:
		log_message(
			"It runs there (process %d), and waits for memory from here: touch nothing, and ask again\n",
			root);
		return MIGRATE_IN_DOUBT;
	case MIGRATE_LOST:
		log_message(
			"It ran there, and has ended before it had all of its memory: what stands still here may go on "
			"from when it left, without what it has done since\n");
		return MIGRATE_WAS_LOST;
	case MIGRATE_UNKNOWN:
		break;
	}
	log_message("criu was killed there at a bad moment: look whether it runs there\n");
	return MIGRATE_IN_DOUBT;
}

enum migrated migrate_ask(const struct options *options, struct migration_facts *ret)
{
	enum migrate_outcome outcome = MIGRATE_UNKNOWN;
	struct migrate_place place;

	*ret = (struct migration_facts){ .result = MIGRATE_IN_DOUBT };
	if (!record_is_id(options->ask)) {
		refuse(EBADRQC, "--ask %s: this is not what a migration is called", options->ask);
		return MIGRATE_IN_DOUBT;
	}
	snprintf(ret->id, sizeof(ret->id), "%s", options->ask);
	if (place_parse(options, options->destination, &place) < 0 ||
	    departure_ask(options, &place, options->ask, &outcome, &ret->root) < 0)
		return MIGRATE_IN_DOUBT;
	ret->result = tell_answer(outcome, ret->root);
	return ret->result;
}
