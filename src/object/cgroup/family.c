/* SPDX-License-Identifier: GPL-2.0-only */
/* What control groups do in which phase. Their dump is the part "sets" of tasks. */
#include "engine/family.h"
#include "object/cgroup/enter.h"
#include "object/cgroup/restore.h"
#include "object/cgroup/settle.h"

const struct object_family cgroup_family = {
	.name = "cgroup",
	.restore_make = cgroup_restore_make,
	.restore_arrive = cgroup_restore_enter,
	.restore_threads = cgroup_restore_enter_threads,
	.restore_settle = cgroup_restore_limit,
	.restore_freeze = cgroup_restore_freeze,
	.restore_thaw = cgroup_restore_thaw,
	.restore_undo = cgroup_restore_undo,
};
