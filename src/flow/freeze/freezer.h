/* SPDX-License-Identifier: GPL-2.0-only */
/* The freezer cgroup of --freeze-cgroup: stops all its tasks at one moment, so that none of them makes others
 * meanwhile. */
#pragma once

#include <stdbool.h>

#include "base/deadline.h"

struct freezer;

/*
 * Freezes the cgroup (v1 or v2) whose directory this is; a guard process thaws it should we be killed. On failure it is
 * as it was. Returns 0 or -errno. The root of a hierarchy cannot be frozen: *ret is NULL then, and a warning says so.
 */
int freezer_freeze(const char *path, const struct deadline *deadline, struct freezer **ret);
bool freezer_was_frozen(const struct freezer *freezer);
/* Frozen tasks can be seized, but stand in a ptrace stop only when they are thawed. */
int freezer_thaw(struct freezer *freezer);
/* Thaws a cgroup that a dump has left frozen: 1, or 0 if it was not. */
int freezer_undo(const char *path);
/* The tasks are about to be let go: as the cgroup was found, so it shall be. freezer may be NULL. */
void freezer_end(struct freezer **freezer);
