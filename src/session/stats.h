/* SPDX-License-Identifier: GPL-2.0-only */
/* What a dump or a restore counts and clocks, for stats-dump, stats-restore and --display-stats. */
#pragma once

#include <stdint.h>

#include "base/deadline.h"

enum stats_interval {
	STATS_FREEZING, /* dump: from the first stop to the last */
	STATS_FROZEN,	/* dump: how long the tasks stood */
	STATS_MEMDUMP,	/* dump: finding and reading memory */
	STATS_MEMWRITE, /* dump: writing it out */
	STATS_IRMAP,	/* dump: looking for the paths of watched files */
	STATS_FORKING,	/* restore: making the tasks */
	STATS_RESTORE,	/* restore: all of it, until the tasks run */
	STATS_PHASES,
};

/* Zero-initialised. The counters are touched by the coordinator's main thread alone. */
struct stats {
	uint64_t began[STATS_PHASES], took[STATS_PHASES]; /* ns */

	/* dump */
	uint64_t pages_scanned, pages_skipped_parent, pages_written, pages_lazy;
	uint64_t pages_elsewhere;					   /* --equal-pages: saved with another task */
	uint64_t shpages_scanned, shpages_skipped_parent, shpages_written; /* of shared memory */
	uint64_t losses;						   /* session/loss.h */
	/* restore */
	uint64_t pages_compared, pages_skipped_cow, pages_restored;
};

/* A phase may be entered several times; the times add up. */
static inline void stats_start(struct stats *stats, enum stats_interval phase)
{
	stats->began[phase] = clock_now_ns();
}

static inline void stats_stop(struct stats *stats, enum stats_interval phase)
{
	if (stats->began[phase])
		stats->took[phase] += clock_now_ns() - stats->began[phase];
	stats->began[phase] = 0;
}
