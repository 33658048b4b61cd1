/* SPDX-License-Identifier: GPL-2.0-only */
/* criu migrate: a program goes to another machine. */
#pragma once

struct options;

/* What criu ends with. */
enum migrated {
	MIGRATED,	  /* it runs there */
	MIGRATE_STAYED,	  /* it runs on here, or nothing of it is here: an ordinary failure, logged */
	MIGRATE_IN_DOUBT, /* it stands still here, and nobody knows whether it runs there */
	MIGRATE_WAS_LOST, /* it stands still here, and did run there for a while, until its memory did not come */
};

/* The tree of options->pid to options->destination. */
enum migrated migrate_tree(const struct options *options);
/* criu migrate --ask: prints what options->destination knows of the migration options->ask. MIGRATED: it runs there. */
enum migrated migrate_ask(const struct options *options);
