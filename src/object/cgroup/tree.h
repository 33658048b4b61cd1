/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths of cgroups, and the directories of a dump. */
#pragma once

#include "cgroup.pb-c.h"
#include "kern/proc/cgroup.h"
#include "object/cgroup/properties.h"
#include "session/session.h"

/* Whether the path is that of the directory, or of one below it; both from the root of the hierarchy, with a slash in
 * front. */
bool cgroup_is_below(const char *path, const char *directory);

/* What --cgroup-props and --cgroup-props-file say. */
int cgroup_rules_read(const struct options *options, struct pool *pool, struct property_rules *ret);

/* The directories of all hierarchies where cgroups of the sets are, to the records. own: where criu is. */
int cgroup_dump_trees(struct dump *d, const struct proc_cgroups *own, CgroupEntry *entry);
