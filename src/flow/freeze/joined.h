/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes that came into a pid namespace of the tree from outside: runc exec, podman exec, docker exec, nsenter(1).
 * They are no descendants of its root, but end with it. --joined says what becomes of them.
 */
#pragma once

#include "session/session.h"

struct table;

struct joined {
	pid_t *items; /* further roots that are not in the tree yet */
	size_t n, capacity;
	bool again; /* somebody has become a child of the tree meanwhile */
	struct table *told;
};

/* The tree stands still and is numbered. Others are named as lost, or refused. */
int joined_find(struct dump *d, struct joined *joined);
void joined_done(struct joined *joined);
