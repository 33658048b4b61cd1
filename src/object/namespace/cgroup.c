/* SPDX-License-Identifier: GPL-2.0-only */
/* Cgroup namespaces. */
#include <sched.h>

#include "object/namespace/namespace.h"

const struct namespace_kind cgroup_kind = {
	NAMESPACE_KIND("cgroup", CLONE_NEWCGROUP, cgroup_ns_id),
};
