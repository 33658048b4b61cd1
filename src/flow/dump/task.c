/* SPDX-License-Identifier: GPL-2.0-only */
/* One task of a dump: what is seen from outside, what it says itself, its memory, its records. */
#include "flow/dump/task.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "arch_regs.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "engine/engine.h"
#include "flow/dump/leftovers.h"
#include "flow/freeze/freeze-threads.h"
#include "image/record.h"
#include "kern/proc/proc.h"
#include "lib/compel/tracee.h"
#include "object/memory/memory.h"
#include "session/survey.h"

static void new_core(struct dump *d, struct thread *thread)
{
	CoreEntry *core = pool_new(d->pool, CoreEntry);

	core_entry__init(core);
	core->mtype = arch_core_type();
	if (task_is_live(thread->task)) {
		core->thread_core = pool_new(d->pool, ThreadCoreEntry);
		thread_core_entry__init(core->thread_core);
	}
	if (thread == thread->task->leader) {
		core->tc = pool_new(d->pool, TaskCoreEntry);
		task_core_entry__init(core->tc);
		core->tc->task_state = thread->task->state;
		core->tc->comm = thread->task->comm;
		thread->task->mm = pool_new(d->pool, MmEntry);
		mm_entry__init(thread->task->mm);
	}
	thread->core = core;
}

/* Registers as they go home, and as they go into the record: there an interrupted call is made again. */
static int dump_registers(struct dump *d, struct thread *thread)
{
	struct thread_dump *dump = thread->dump;
	struct arch_thread_state *record;
	bool no_signals;

	TRY(tracee_get_sigmask(thread->tid, &dump->sigmask));
	if (dump->state) /* since it was stopped */
		TRY(arch_state_get_extended(thread->tid, d->pool, dump->state));
	else
		TRY(arch_state_get(thread->tid, d->pool, &dump->state));
	record = dump->alone = arch_state_copy(dump->state, d->pool);
	no_signals = freeze_no_signals(&dump->status, dump->sigmask);
	arch_state_restart(record, no_signals, thread->tid);
	return arch_state_to_core(record, thread->core, d->pool);
}

static int dump_outside(struct dump *d, struct task *task)
{
	struct thread *thread;

	for_each_thread(thread, task) {
		new_core(d, thread);
		TRY(dump_registers(d, thread));
		TRY(dump_go_on(d, phase_dump_outside(d, thread)));
	}
	return 0;
}

int dump_task_aside(struct dump *d, struct task *task)
{
	struct thread *thread;

	if (!task_is_live(task) || task->dump->unstopped || task->dump->looked_aside)
		return 0;
	task->dump->looked_aside = true;
	for_each_thread(thread, task)
		if (thread->core) /* else it was refused before */
			TRY(dump_go_on(d, phase_dump_aside(d, thread)));
	return 0;
}

/* Kinds of objects by which tasks are told to share. */
static int object_id(struct kcmp_tree *tree, const struct task *task, uint64_t hint, uint32_t *ret, bool *ret_is_new)
{
	TRY(kcmp_id(tree, task->pid, 0, hint, ret, ret_is_new));
	(*ret)++; /* 1 is criu's own */
	return 0;
}

int dump_ids(struct dump *d, struct task *task)
{
	const struct object_hints *hints = &task->dump->hints;
	TaskKobjIdsEntry *ids = pool_new(d->pool, TaskKobjIdsEntry);
	bool is_new;

	task_kobj_ids_entry__init(ids);
	task->ids = ids;
	TRY(object_id(d->kcmp_vm, task, hints->memory, &ids->vm_id, &is_new));
	TRY(object_id(d->kcmp_fs, task, hints->fs, &ids->fs_id, &is_new));
	TRY(object_id(d->kcmp_sighand, task, hints->handlers, &ids->sighand_id, &is_new));
	TRY(object_id(d->kcmp_files, task, hints->files, &ids->files_id, &is_new));
	task->dump->first_with_files = is_new ? (uint32_t)task->pid : 0;
	return phase_dump_identify(d, task);
}

/* In a survey no task runs anything of ours. */
int dump_task_guess(struct dump *d, struct task *task)
{
	struct thread *thread;

	for_each_thread(thread, task)
		TRY(phase_dump_guess(d, thread));
	return 0;
}

int dump_task_state(struct dump *d, struct task *task)
{
	if (!task_is_live(task)) {
		new_core(d, task->leader);
		return phase_dump_outside(d, task->leader);
	}
	if (task->dump->unstopped) {
		new_core(d, task->leader);
		return 0;
	}
	if (!d->progress->tasks_run) {
		TRY(leftovers_find(d, task));
		TRY(phase_dump_mappings(d, task));
	}
	TRY(dump_outside(d, task));
	task->dump->can_tell = true;
	return 0;
}

int dump_task_look(struct dump *d, struct task *task)
{
	struct thread *thread;

	TRY(memory_read_mappings(d, task));
	TRY(leftovers_find(d, task));
	TRY(phase_dump_mappings(d, task));
	for_each_thread(thread, task) {
		new_core(d, thread);
		TRY(dump_registers(d, thread)); /* also for what they go home with */
	}
	return 0;
}

int dump_task_memory(struct dump *d, struct task *task)
{
	if (!task->dump->mappings.n) {
		TRY(memory_read_mappings(d, task));
		TRY(phase_dump_mappings(d, task));
	}
	TRY(phase_dump_memory(d, task));
	return phase_dump_content(d, task);
}

int dump_task_write(struct dump *d, struct task *task)
{
	struct thread *thread;

	for_each_thread(thread, task)
		TRY(image_write_one(dump_store(d), IMAGE_CORE, thread->core, (uint64_t)thread->vtid));
	if (!task_is_live(task))
		return 0;
	TRY(image_write_one(dump_store(d), IMAGE_IDS, task->ids, (uint64_t)task->vpid));
	return image_write_one(dump_store(d), IMAGE_MM, task->mm, (uint64_t)task->vpid);
}
