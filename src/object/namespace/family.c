/* SPDX-License-Identifier: GPL-2.0-only */
/* What namespaces do in which phase. */
#include "engine/family.h"
#include "object/namespace/inspect.h"
#include "object/namespace/namespace.h"
#include "object/namespace/pid.h"
#include "object/namespace/restore.h"

const struct object_family namespace_family = {
	.name = "namespace",
	.dump_begin = namespaces_dump_begin,
	.dump_prepare = namespaces_dump_prepare,
	.dump_identify = namespaces_dump_task,
	.dump_collect = namespaces_dump_collect,
	.dump_outside = namespaces_dump_thread,
	.dump_write = namespaces_dump_write,
	.restore_load = namespaces_restore_load,
	.restore_needs = namespaces_restore_needs,
	.restore_copies = namespaces_restore_copies,
	.restore_inspect = namespaces_restore_inspect,
	.restore_make = namespaces_restore_make,
	.restore_enter_root = namespaces_plan_root,
	.restore_arrive = namespaces_restore_born,
	.restore_empty = namespaces_plan_inside,
	.restore_fill = namespaces_restore_fill,
	.restore_enter = namespaces_plan_enter,
	.restore_plan = pid_space_plan_children,
	.restore_settle = namespaces_restore_settle,
	.restore_clean = namespaces_restore_clean,
	.restore_end = namespaces_restore_clean,
};
