/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes and prints the statistics. */
#include "flow/stats.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/meter.h"
#include "image/image.h"
#include "image/record.h"
#include "image/store.h"
#include "options/options.h"
#include "session/session.h"
#include "stats.pb-c.h"

/* Microseconds in the 32 bits that the record has: 71 minutes, then it stays at the end. */
static uint32_t interval_us(const struct stats *stats, enum stats_interval phase)
{
	uint64_t us = stats->took[phase] / 1000;

	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int write_image(enum image_id id, const StatsEntry *entry)
{
	AUTO_CLOSE int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(store_close) struct store *store = NULL;

	if (dir < 0)
		return fail_errno("the work directory cannot be opened");
	TRY(store_open_dir(dir, true, &store));
	return image_write_one(store, id, entry);
}

static void print_time(const char *what, uint32_t us)
{
	log_message("%-32s %" PRIu32 " us\n", what, us);
}

static void print_count(const char *what, uint64_t count)
{
	log_message("%-32s %" PRIu64 "\n", what, count);
}

/* Bytes per second. */
static void print_moved(uint64_t bytes, uint64_t us)
{
	print_count("Bytes of memory moved:", bytes);
	print_count("Bytes per second:", us ? (uint64_t)((double)bytes * 1e6 / (double)us) : 0);
}

static void print_dump(const DumpStatsEntry *dump)
{
	log_message("Statistics of the dump:\n");
	print_time("Stopping all tasks:", dump->freezing_time);
	print_time("Tasks stood still:", dump->frozen_time);
	print_time("Reading memory:", dump->memdump_time);
	print_time("Writing memory:", dump->memwrite_time);
	print_time("Finding paths of watched files:", dump->irmap_resolve);
	print_count("Pages looked at:", dump->pages_scanned);
	print_count("Pages left to the parent images:", dump->pages_skipped_parent);
	print_count("Pages written:", dump->pages_written);
	if (dump->has_pages_elsewhere)
		print_count("Pages saved with another task:", dump->pages_elsewhere);
	print_count("Pages left for lazy transfer:", dump->pages_lazy);
	print_count("Shared pages looked at:", dump->shpages_scanned);
	print_count("Shared pages left to the parent:", dump->shpages_skipped_parent);
	print_count("Shared pages written:", dump->shpages_written);
	if (dump->has_moved)
		print_moved(dump->moved, dump->moved_us);
	print_count("Things that were not saved:", dump->losses);
}

int stats_write_dump(struct dump *d, const struct options *options)
{
	const struct stats *stats = d->stats;
	StatsEntry entry = STATS_ENTRY__INIT;
	DumpStatsEntry dump = DUMP_STATS_ENTRY__INIT;

	dump.freezing_time = interval_us(stats, STATS_FREEZING);
	dump.frozen_time = interval_us(stats, STATS_FROZEN);
	dump.memdump_time = interval_us(stats, STATS_MEMDUMP);
	dump.memwrite_time = interval_us(stats, STATS_MEMWRITE);
	dump.pages_scanned = stats->pages_scanned;
	dump.pages_skipped_parent = stats->pages_skipped_parent;
	dump.pages_written = stats->pages_written;
	dump.pages_lazy = stats->pages_lazy;
	dump.has_irmap_resolve = true;
	dump.irmap_resolve = interval_us(stats, STATS_IRMAP);
	dump.has_page_pipes = dump.has_page_pipe_bufs = true; /* 0: memory does not go through pipes here */
	dump.has_shpages_scanned = dump.has_shpages_skipped_parent = dump.has_shpages_written = true;
	dump.shpages_scanned = stats->shpages_scanned;
	dump.shpages_skipped_parent = stats->shpages_skipped_parent;
	dump.shpages_written = stats->shpages_written;
	dump.has_pages_elsewhere = options->equal_pages;
	dump.pages_elsewhere = stats->pages_elsewhere;
	dump.has_moved = dump.has_moved_us = meter_has_told(d->meter);
	if (dump.has_moved) {
		dump.moved = d->meter->done;
		dump.moved_us = d->meter->us;
	}
	dump.has_losses = stats->losses > 0; /* tools compare the fields that CRIU has */
	dump.losses = stats->losses;
	entry.dump = &dump;
	TRY(write_image(IMAGE_STATS_DUMP, &entry));
	if (options->display_stats)
		print_dump(&dump);
	return 0;
}

static void print_restore(const RestoreStatsEntry *restore)
{
	log_message("Statistics of the restore:\n");
	print_time("Making the tasks:", restore->forking_time);
	print_time("All together:", restore->restore_time);
	print_count("Pages compared:", restore->pages_compared);
	print_count("Pages shared with the parent:", restore->pages_skipped_cow);
	print_count("Pages restored:", restore->pages_restored);
	if (restore->has_moved)
		print_moved(restore->moved, restore->moved_us);
}

int stats_write_restore(struct restore *r, const struct options *options)
{
	const struct stats *stats = r->stats;
	StatsEntry entry = STATS_ENTRY__INIT;
	RestoreStatsEntry restore = RESTORE_STATS_ENTRY__INIT;

	restore.pages_compared = stats->pages_compared;
	restore.pages_skipped_cow = stats->pages_skipped_cow;
	restore.forking_time = interval_us(stats, STATS_FORKING);
	restore.restore_time = interval_us(stats, STATS_RESTORE);
	restore.has_moved = restore.has_moved_us = meter_has_told(r->meter);
	if (restore.has_moved) {
		restore.moved = r->meter->done;
		restore.moved_us = r->meter->us;
	}
	restore.has_pages_restored = true;
	restore.pages_restored = stats->pages_restored;
	entry.restore = &restore;
	TRY(write_image(IMAGE_STATS_RESTORE, &entry));
	if (options->display_stats)
		print_restore(&restore);
	return 0;
}
