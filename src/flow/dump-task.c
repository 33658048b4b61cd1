/* SPDX-License-Identifier: GPL-2.0-only */
/* One task of a dump: what is seen from outside, what it says itself, its memory, its records. */
#include "flow/dump-task.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "arch_regs.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/log.h"
#include "engine/engine.h"
#include "flow/freeze.h"
#include "flow/leftovers.h"
#include "kern/proc/proc.h"
#include "lib/compel/parasite.h"
#include "lib/compel/tracee.h"
#include "session/survey.h"

static void new_core(struct dump *d, struct thread *thread)
{
	CoreEntry *core = pool_new(d->pool, CoreEntry);

	core_entry__init(core);
	core->mtype = ARCH_CORE_TYPE;
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
	uint8_t code[7];
	struct iovec local = { code, sizeof(code) }, remote;
	bool have_code;

	TRY(tracee_get_sigmask(thread->tid, &dump->sigmask));
	TRY(arch_state_get(thread->tid, d->pool, &dump->state));
	record = dump->alone = arch_state_copy(dump->state, d->pool);
	remote = (struct iovec){ (void *)(arch_state_ip(record) - sizeof(code)), sizeof(code) };
	have_code = arch_state_needs_code(record) &&
		    process_vm_readv(thread->tid, &local, 1, &remote, 1, 0) == sizeof(code);
	no_signals = freeze_no_signals(&dump->status, dump->sigmask);
	arch_state_restart(record, no_signals, have_code ? code : NULL);
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

struct task_inside {
	struct parasite_process process;
	struct arena *arena;
	struct plan **plans; /* one for each thread */
	unsigned n;
};

static void inside_done(struct task_inside *inside)
{
	for (unsigned i = 0; i < inside->n; i++)
		plan_destroy(&inside->plans[i]);
	free(inside->plans);
	if (inside->process.mem >= 0)
		close(inside->process.mem);
}

/* Kinds of objects by which tasks are told to share. */
static int object_id(struct kcmp_tree *tree, const struct task *task, uint32_t *ret, bool *ret_is_new)
{
	TRY(kcmp_id(tree, task->pid, 0, 0, ret, ret_is_new));
	(*ret)++; /* 1 is criu's own */
	return 0;
}

int dump_ids(struct dump *d, struct task *task)
{
	TaskKobjIdsEntry *ids = pool_new(d->pool, TaskKobjIdsEntry);

	bool is_new;

	task_kobj_ids_entry__init(ids);
	task->ids = ids;
	TRY(object_id(d->kcmp_vm, task, &ids->vm_id, &is_new));
	TRY(object_id(d->kcmp_fs, task, &ids->fs_id, &is_new));
	TRY(object_id(d->kcmp_sighand, task, &ids->sighand_id, &is_new));
	TRY(object_id(d->kcmp_files, task, &ids->files_id, &is_new));
	task->dump->first_with_files = is_new ? (uint32_t)task->pid : 0;
	return phase_dump_identify(d, task);
}

/* One plan for each thread; how much room they need must be known before the memory is made. */
static int ask_all(struct dump *d, struct task *task, struct task_inside *inside, size_t *ret_size)
{
	struct thread *thread;
	size_t size = 0;

	inside->plans = xzalloc(task->n_threads * sizeof(*inside->plans));
	for_each_thread(thread, task) {
		struct plan *plan = inside->plans[inside->n++] = plan_create();

		TRY(phase_dump_ask(d, thread, plan));
		size += plan_size(plan) + 64 + parasite_capacity(thread->dump->state);
	}
	*ret_size = size;
	return 0;
}

static int run_all(struct dump *d, struct task *task, struct task_inside *inside)
{
	struct thread *thread;
	unsigned i = 0;

	for_each_thread(thread, task) {
		TRY(parasite_open(inside->arena, thread->tid,
				  &(struct parasite_state){ thread->dump->state, thread->dump->alone,
							    thread->dump->sigmask },
				  &thread->remote));
	}
	for_each_thread(thread, task)
		TRY(remote_post(thread->remote, inside->plans[i++]));
	for_each_thread(thread, task)
		TRY(remote_wait(thread->remote, &d->deadline));
	TRY(phase_pass_dump(d, PHASE_dump_inside, NULL, NULL));
	for_each_thread(thread, task)
		TRY(phase_dump_answer(d, thread));
	return 0;
}

/* Brings all threads home, whatever happened. */
static int leave_inside(struct dump *d, struct task *task, struct task_inside *inside)
{
	struct deadline soon = deadline_in_seconds(GRACE_HOME_S);
	struct thread *thread;
	int error = 0;

	for_each_thread(thread, task) {
		if (!thread->remote)
			continue;
		int caught = parasite_catch(thread->remote, &soon);

		if (caught < 0 && !error)
			error = caught;
		thread->remote = NULL;
	}
	if (!error)
		error = parasite_arena_close(&inside->arena, &inside->process);
	return error;
}

static int dump_inside(struct dump *d, struct task *task)
{
	struct thread_dump *leader = task->leader->dump;
	AUTO(inside_done) struct task_inside inside = {
		.process = {
			.tid = task->pid,
			.proc = task->dump->proc,
			.mem = openat(task->dump->proc, "mem", O_RDWR | O_CLOEXEC),
			.state = { leader->state, leader->alone, leader->sigmask },
			.watch = d->watch,
		},
	};
	size_t size;
	int error, error2;

	if (inside.process.mem < 0)
		return fail_errno("opening its memory");
	TRY(ask_all(d, task, &inside, &size));
	TRY(parasite_find_place(inside.process.mem, task->pid, &task->dump->mappings, leader->state, d->parasite_cache,
				&inside.process.place));
	TRY(leftovers_unmap(task, &inside.process));
	TRY(parasite_arena_open(&inside.process, size, &inside.arena));
	error = run_all(d, task, &inside);
	error2 = leave_inside(d, task, &inside);
	return error ? error : error2;
}

/* In a survey no task runs anything of ours. */
static int dump_guess(struct dump *d, struct task *task)
{
	struct thread *thread;

	for_each_thread(thread, task)
		TRY(phase_dump_guess(d, thread));
	return 0;
}

int dump_task_state(struct dump *d, struct task *task)
{
	struct thread *thread;

	if (!task_is_live(task)) {
		new_core(d, task->leader);
		return phase_dump_outside(d, task->leader);
	}
	if (task->dump->unstopped) {
		new_core(d, task->leader);
		return 0;
	}
	if (!d->tasks_run) {
		TRY(mappings_read(task->dump->proc, MAPPINGS_FULL, &task->dump->mappings));
		TRY(leftovers_find(d, task));
		TRY(phase_dump_mappings(d, task));
	}
	TRY(dump_outside(d, task));
	if (d->only_look)
		return dump_guess(d, task);
	TRY(dump_inside(d, task));
	for_each_thread(thread, task)
		TRY(phase_dump_again(d, thread));
	return phase_dump_track(d, task);
}

int dump_task_look(struct dump *d, struct task *task)
{
	struct thread *thread;

	TRY(mappings_read(task->dump->proc, MAPPINGS_FULL, &task->dump->mappings));
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
		TRY(mappings_read(task->dump->proc, MAPPINGS_FULL, &task->dump->mappings));
		TRY(phase_dump_mappings(d, task));
	}
	TRY(phase_dump_memory(d, task));
	return phase_dump_content(d, task);
}

int dump_task_write(struct dump *d, struct task *task)
{
	struct thread *thread;

	for_each_thread(thread, task)
		TRY(image_write_one(d->store, IMAGE_CORE, thread->core, (uint64_t)thread->vtid));
	if (!task_is_live(task))
		return 0;
	TRY(image_write_one(d->store, IMAGE_IDS, task->ids, (uint64_t)task->vpid));
	return image_write_one(d->store, IMAGE_MM, task->mm, (uint64_t)task->vpid);
}
