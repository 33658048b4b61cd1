/* SPDX-License-Identifier: GPL-2.0-only */
/* The properties of a cgroup of a restore. */
#pragma once

#include "object/cgroup/load.h"
#include "object/cgroup/properties.h"

/* Sets those whose time has come (EARLY includes FIRST), with EARLY also its owner, if the directory is to be settled.
 */
int cgroup_settle(const struct cg_directory *directory, enum property_when when);
/* One that is frozen would not let anybody in who has to go on: thaws it, and remembers that. */
int cgroup_thaw_found(struct restore *r, struct cg_directory *directory);
/* The restore has failed: freezes it again. */
void cgroup_freeze_found(const struct cg_directory *directory);
