/* SPDX-License-Identifier: GPL-2.0-only */
/* The hierarchies of cgroups that this machine has, as directories. */
#pragma once

#include <stdbool.h>

#include "base/pool.h"
#include "kern/proc/cgroup.h"

/* Whether a list like "cpu,cpuacct" has the controller; the list "" has the controller "", which stands for cgroup2. */
bool controllers_have(const char *list, const char *controller);
/* Whether two such lists have a controller in common. */
bool controllers_share(const char *a, const char *b);
/* The hierarchy among those of a process that has all of these controllers, or NULL. */
const struct proc_cgroup *hierarchy_find(const struct proc_cgroups *cgroups, const char *controllers);

/*
 * The root directory of a hierarchy, controllers as /proc/PID/cgroup has them: below the directory yard, or, if that is
 * NULL, of a mount that only we see. Returns a descriptor, or -errno (logged). A hierarchy that does not exist would be
 * made: ask hierarchy_find() before.
 */
int hierarchy_open(const char *controllers, const char *yard);
/*
 * Makes one of the first version; it ends with the descriptor if nothing is made in it. -errno, not logged: -EBUSY if
 * another hierarchy has one of the controllers. Since Linux 5.2.
 */
int hierarchy_make(const char *controllers);
