/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Breakpoints and watchpoints in registers of the CPU, which stay in a thread when the debugger has gone that has set
 * them: programs that watch their own memory set them by a child. CRIU does not save them; ours is a field that it
 * skips.
 */
#include "arch_regs.h"
#include "base/fail.h"
#include "object/task/part.h"

static int dump_breakpoints(const struct dump *d, struct thread *thread)
{
	ThreadCoreEntry *record = thread->core->thread_core;

	TRY(arch_breakpoints_get(thread->tid, d->pool, &record->breakpoints.data, &record->breakpoints.len));
	record->has_breakpoints = record->breakpoints.len != 0;
	return 0;
}

static int check_breakpoints(const struct restore *r, struct thread *thread)
{
	return arch_breakpoints_check(thread->core->thread_core->breakpoints.len);
}

static int settle_breakpoints(struct restore *r, struct thread *thread)
{
	const ProtobufCBinaryData *data = &thread->core->thread_core->breakpoints;

	return data->len ? arch_breakpoints_set(thread->tid, data->data, data->len) : 0;
}

const struct task_part breakpoints_part = {
	.name = "breakpoints",
	.outside = dump_breakpoints,
	.check = check_breakpoints,
	.settle = settle_breakpoints,
};
