/* SPDX-License-Identifier: GPL-2.0-only */
/* The properties of a cgroup of a restore. */
#pragma once

#include "object/cgroup/load.h"
#include "object/cgroup/properties.h"

/* Sets those whose time has come (EARLY includes FIRST), with EARLY also its owner, if the directory is to be settled.
 */
int cgroup_settle(const struct cg_directory *directory, enum property_when when);

/* Limits and the like, which must not hinder the restore itself: everything is made, nothing runs. */
int cgroup_restore_limit(struct restore *r);
