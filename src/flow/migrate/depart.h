/* SPDX-License-Identifier: GPL-2.0-only */
/* The last moments of a program here: it stands still, and the other side says whether it may end. */
#pragma once

#include <stdint.h>

#include "flow/migrate/give.h"
#include "flow/migrate/place.h"
#include "flow/migrate/record.h"
#include "session/listener.h"

struct options;
struct stats;

struct departure {
	struct listener listener; /* of the dump; first */
	struct listener *client;  /* who asked for it, or NULL */
	const struct options *options;
	const struct migrate_place *place;
	struct wire *wire;
	const char *id;
	int home;		      /* where criu was started: names of files are relative to it */
	enum migrate_outcome outcome; /* MIGRATE_NEVER until it has left */
	pid_t root;		      /* there */
	uint64_t stood_ns;	      /* how long nothing ran */
	struct stats *stats;	      /* of the dump, filled in */
	struct giving giving;	      /* --post-copy */
};

void departure_init(struct departure *departure, struct listener *client);
/* What the other side knows of this migration, by a connection of its own: 0 or a failure. */
int departure_ask(const struct options *options, const struct migrate_place *place, const char *id,
		  enum migrate_outcome *ret, pid_t *ret_root);
