/* SPDX-License-Identifier: GPL-2.0-only */
/* criu migrate: a program goes to another machine. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct listener;
struct options;

/* What criu ends with. */
enum migrated {
	MIGRATED,	  /* it runs there */
	MIGRATE_STAYED,	  /* it runs on here, or nothing of it is here: an ordinary failure, logged */
	MIGRATE_IN_DOUBT, /* it stands still here, and nobody knows whether it runs there */
	MIGRATE_WAS_LOST, /* it stands still here, and did run there for a while, until its memory did not come */
};

#define MIGRATION_ID_SIZE 37 /* a uuid as text, and a NUL */

/* What has become of a migration. */
struct migration_facts {
	enum migrated result;
	char id[MIGRATION_ID_SIZE];
	pid_t root; /* there; 0: not known */
	unsigned rounds;
	uint64_t bytes; /* of memory, sent */
	uint64_t took_ns;
	uint64_t stood_ns;  /* in the end, until the tasks ran there; 0: they did not stop for that */
	uint64_t paused_ns; /* the longest time that they stood still in a round */
};

/* The tree of options->pid to options->destination. listener: the client who asked for it, or NULL. */
enum migrated migrate_tree(const struct options *options, struct listener *listener, struct migration_facts *ret);
/* criu migrate --ask: prints what options->destination knows of the migration options->ask. MIGRATED: it runs there. */
enum migrated migrate_ask(const struct options *options, struct migration_facts *ret);
