/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread that called unshare(CLONE_NEWTIME) stays in its time namespace, and its children will be in the new one
 * (time_namespaces(7)). Saved as the distance of its clocks from the thread's own: those of the tree go on where they
 * stood, so their offsets are others after a restore. CRIU does not save it; ours are fields that it skips.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "kern/namespaces.h"
#include "kern/proc/proc.h"
#include "object/namespace/namespace.h"
#include "object/task/part.h"
#include "plan/plan.h"

/* All threads of a process are in the same time namespace. */
static bool has_other_for_children(const struct dump *d, const struct thread *thread)
{
	const struct namespace *own =
		namespace_of(dump_namespaces(d), thread->task, namespace_kind_find(CLONE_NEWTIME));
	const struct thread *other = thread->dump->shares.namespaces;
	char path[64];
	ino_t inode;

	if (other && !other->core->thread_core->has_children_monotonic)
		return false;
	snprintf(path, sizeof(path), "task/%d/ns/time_for_children", thread->tid);
	return own && own->inode && proc_namespace(thread->task->dump->proc, path, &inode) == 0 && inode != own->inode;
}

static int dump_time_for_children(const struct dump *d, struct thread *thread)
{
	ThreadCoreEntry *record = thread->core->thread_core;
	struct time_offsets children, own;
	AUTO_CLOSE int proc = -1;

	if (!has_other_for_children(d, thread))
		return 0;
	proc = proc_open(thread->tid);
	if (proc < 0)
		return fail(-proc, "opening /proc/%d", thread->tid);
	TRY(time_offsets_for_children(proc, &children));
	TRY(time_offsets_inside(proc, &own));
	record->has_children_monotonic = record->has_children_boottime = true;
	record->children_monotonic = children.monotonic - own.monotonic;
	record->children_boottime = children.boottime - own.boottime;
	return 0;
}

static int plan_time_for_children(struct restore *r, struct thread *thread, struct plan *plan)
{
	if (thread->core->thread_core->has_children_monotonic)
		plan_syscall(plan, "get a time namespace for children", __NR_unshare, V(CLONE_NEWTIME));
	return 0;
}

/* The new one has the offsets of the thread's own as long as nothing is written. */
static int settle_time_for_children(struct restore *r, struct thread *thread)
{
	const ThreadCoreEntry *record = thread->core->thread_core;
	AUTO_CLOSE int proc = -1;
	struct time_offsets offsets;

	if (!record->has_children_monotonic)
		return 0;
	proc = proc_open(thread->tid);
	if (proc < 0)
		return fail(-proc, "opening /proc/%d", thread->tid);
	TRY(time_offsets_for_children(proc, &offsets));
	offsets.monotonic += record->children_monotonic;
	offsets.boottime += record->children_boottime;
	return time_offsets_write(proc, &offsets);
}

const struct task_part time_for_children_part = {
	.name = "time-for-children",
	.aside = dump_time_for_children,
	.plan = plan_time_for_children,
	.settle = settle_time_for_children,
};
