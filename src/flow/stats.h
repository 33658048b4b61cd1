/* SPDX-License-Identifier: GPL-2.0-only */
/* The statistics of a finished dump or restore: images in the work directory, text on stdout. */
#pragma once

#include "session/stats.h"

struct dump;
struct restore;
struct options;

/* Writes stats-dump, and prints if --display-stats is given. Returns 0 or -errno. */
int stats_write_dump(struct dump *d, const struct options *options);
/* The same for stats-restore. */
int stats_write_restore(struct restore *r, const struct options *options);
