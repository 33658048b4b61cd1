/* SPDX-License-Identifier: GPL-2.0-only */
/* Where program, heap, stack, arguments and environment lie; executable link and auxiliary vector. */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <string.h>
#include <sys/prctl.h>

#include "arch_regs.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "object/file/file.h"
#include "object/memory/mappings-restore.h"
#include "object/memory/memory.h"
#include "object/task/part.h"
#include "plan/plan.h"
#include "session/needs.h"

/* Members of struct proc_stat, MmEntry and struct prctl_mm_map. */
/* clang-format off */
#define ADDRESSES(X) \
	X(start_code, mm_start_code, start_code) X(end_code, mm_end_code, end_code) X(start_data, mm_start_data, start_data) \
	X(end_data, mm_end_data, end_data) X(start_stack, mm_start_stack, start_stack) \
	X(start_brk, mm_start_brk, start_brk) X(arg_start, mm_arg_start, arg_start) X(arg_end, mm_arg_end, arg_end) \
	X(env_start, mm_env_start, env_start) X(env_end, mm_env_end, env_end)
/* clang-format on */

/*
 * The auxiliary vector tells what the program is: in 32-bit ones its words have 32 bits, so that the second half of the
 * first 64 are no zeros. Threads in the other mode have left it by a far jump, as emulators do; programs of x32 are in
 * 64-bit mode all the time.
 */
static int check_mode(const struct task *task, const char *auxv, size_t size)
{
	bool compat = arch_core_is_compat(task->leader->core), short_words = size >= 8 && *(const uint32_t *)(auxv + 4);

	if (short_words && !compat)
		return refuse(EOPNOTSUPP,
			      "it is an x32 program, or a 32-bit program that runs 64-bit code just now: these "
			      "cannot be checkpointed");
	if (compat && !short_words)
		return refuse(EOPNOTSUPP,
			      "it is a 64-bit program that runs 32-bit code just now: such programs cannot be "
			      "checkpointed");
	return 0;
}

static int check_thread_mode(const struct thread *thread)
{
	const CoreEntry *leader = thread->task->leader->core;

	if (leader && arch_core_is_compat(thread->core) != arch_core_is_compat(leader))
		return refuse(EOPNOTSUPP,
			      "thread %d runs code of another mode (32 or 64 bits) than the main thread: such "
			      "programs cannot be checkpointed",
			      thread->vtid);
	return 0;
}

static int dump_auxv(const struct dump *d, struct task *task)
{
	AUTO_FREE char *data = NULL;
	size_t size;
	int error = file_read_all(task->dump->proc, "auxv", &data, &size);
	size_t n;

	if (error < 0)
		return fail(-error, "reading its auxiliary vector");
	TRY(check_mode(task, data, size));
	/* The words that end it are not kept. */
	for (n = 0; n + 1 < size / 8 && ((uint64_t *)data)[n]; n += 2)
		;
	task->mm->n_mm_saved_auxv = n;
	task->mm->mm_saved_auxv = pool_copy(d->pool, data, n * 8);
	return 0;
}

static int dump_layout(const struct dump *d, struct thread *thread)
{
	struct task *task = thread->task;

	if (thread != task->leader)
		return check_thread_mode(thread);
#define X(stat_member, record, map) task->mm->record = task->dump->stat.stat_member;
	ADDRESSES(X)
#undef X
	TRY(dump_auxv(d, task));
	return file_dump_path(d, task, "exe", NULL, O_RDONLY, &task->mm->exe_file_id);
}

const struct task_part layout_part;

static int ask_layout(struct dump *d, struct thread *thread, struct plan *plan)
{
	if (thread == thread->task->leader)
		*part_offsets(d, thread, &layout_part, 1) =
			plan_keep_result(plan, plan_syscall(plan, "ask for the break", __NR_brk, V(0)));
	return 0;
}

static int answer_layout(struct dump *d, struct thread *thread)
{
	if (thread == thread->task->leader)
		thread->task->mm->mm_brk =
			(uint64_t)remote_value(thread->remote, *part_offsets(d, thread, &layout_part, 1));
	return 0;
}

#define SLOT_EXE 2

static int plan_layout(struct restore *r, struct thread *thread, struct plan *plan)
{
	const struct task *task = thread->task;
	const MmEntry *mm = task->mm;
	struct prctl_mm_map map = { .brk = mm->mm_brk, .auxv_size = (uint32_t)(mm->n_mm_saved_auxv * 8) };
	struct memory_restore *memory = memory_restore_of(task);
	size_t at, auxv;
	int fd;

	if (thread != task->leader || task->restore->memory_from)
		return 0;
#define X(stat_member, record, member) map.member = mm->record;
	ADDRESSES(X)
#undef X
	TRY(file_get_fd(r, memory->exe, &fd));
	plan_step(plan, "take its program", STEP_GETFD,
		  (struct plan_arg[]){ V(task->restore->coordinator_fd), V(fd), V(-1), V(0) }, 4)
		->to_slot = SLOT_EXE;
	auxv = plan_data(plan, mm->mm_saved_auxv, mm->n_mm_saved_auxv * 8);
	at = plan_data(plan, &map, sizeof(map));
	/* Addresses and results that are known only over there. */
	plan_step(plan, "point to the auxiliary vector", STEP_SET_LONG,
		  (struct plan_arg[]){ D(at + offsetof(struct prctl_mm_map, auxv)), D(auxv) }, 2);
	plan_step(plan, "point to its program", STEP_SET_INT,
		  (struct plan_arg[]){ D(at + offsetof(struct prctl_mm_map, exe_fd)), S(SLOT_EXE) }, 2);
	plan_syscall(plan, "set the layout of its memory", __NR_prctl, V(PR_SET_MM), V(PR_SET_MM_MAP), D(at),
		     V(sizeof(map)), V(0));
	plan_syscall(plan, "close its program", __NR_close, S(SLOT_EXE));
	return 0;
}

static void need_layout(const struct restore *r, struct thread *thread)
{
	(void)thread;
	need_feature(r, FEATURE_ID_prctl_mm_map);
}

const struct task_part layout_part = {
	.name = "layout",
	.outside = dump_layout,
	.ask = ask_layout,
	.answer = answer_layout,
	.needs = need_layout,
	.plan = plan_layout,
};
