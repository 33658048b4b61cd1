/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of tasks and threads do in which phase. */
#include "engine/family.h"
#include "object/task/groups.h"
#include "object/task/thread/inspect.h"
#include "object/task/part.h"

static int tell_needs(const struct restore *r)
{
	parts_restore_needs(r);
	return 0;
}

const struct object_family task_family = {
	.name = "task",
	.dump_begin = parts_dump_begin,
	.dump_collect = parts_dump_collect,
	.dump_outside = parts_dump_outside,
	.dump_guess = parts_dump_guess,
	.dump_ask = parts_dump_ask,
	.dump_aside = parts_dump_aside,
	.dump_answer = parts_dump_answer,
	.dump_told = parts_dump_told,
	.dump_again = parts_dump_again,
	.dump_finish = parts_dump_finish,
	.dump_write = parts_dump_write,
	.dump_killed = groups_dump_killed,
	.restore_self = parts_restore_self,
	.restore_load = parts_restore_load,
	.restore_check = parts_restore_check,
	.restore_needs = tell_needs,
	.restore_inspect = task_restore_inspect,
	.restore_plan = parts_restore_plan,
	.restore_last = parts_restore_last,
	.restore_home = parts_restore_settle,
};
