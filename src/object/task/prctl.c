/* SPDX-License-Identifier: GPL-2.0-only */
/* Settings of a process or thread that prctl(2) reads and sets alike: prctl.def. */
#include <stddef.h>
#include <sys/prctl.h>

#include "base/array.h"
#include "base/fail.h"
#include "base/log.h"
#include "kern/syscalls.h"
#include "object/task/part.h"
#include "plan/plan.h"
#include "session/needs.h"

enum scope { THREAD, PROCESS, MEMORY };
enum answer { RETURNED, STORED };
/* linux/prctl.h, Linux 6.4. */
#define PR_SET_MEMORY_MERGE_ 67
#define PR_GET_MEMORY_MERGE_ 68

#define ALWAYS (-1)
enum record { RECORD_TaskCoreEntry, RECORD_ThreadCoreEntry, RECORD_MmEntry };

struct prctl_row {
	const char *name, *why_get, *why_set;
	enum scope scope;
	enum record record;
	size_t has, value; /* 32-bit members of the record */
	int get, set;
	enum answer answer;
	int usual;
};

#define PRCTL(name_, scope_, record_, member, get_, set_, answer_, usual_) \
	{ .name = (name_),                                                 \
	  .why_get = "read " name_,                                        \
	  .why_set = "set " name_,                                         \
	  .scope = (scope_),                                               \
	  .record = RECORD_##record_,                                      \
	  .has = offsetof(record_, has_##member),                          \
	  .value = offsetof(record_, member),                              \
	  .get = (get_),                                                   \
	  .set = (set_),                                                   \
	  .answer = (answer_),                                             \
	  .usual = (usual_) },
static const struct prctl_row rows[] = {
#include "object/task/prctl.def"
};
#undef PRCTL

#define N_ROWS (ARRAY_SIZE(rows))

extern const struct task_part prctl_part;

static bool reads_row(const struct prctl_row *row, const struct thread *thread)
{
	return row->scope == THREAD || thread == thread->task->leader;
}

static bool sets_row(const struct prctl_row *row, const struct thread *thread)
{
	return row->scope != PROCESS || thread == thread->task->leader;
}

static void *record_of(const struct prctl_row *row, const struct thread *thread)
{
	switch (row->record) {
	case RECORD_TaskCoreEntry:
		return thread->core->tc;
	case RECORD_ThreadCoreEntry:
		return thread->core->thread_core;
	default:
		return thread->task->mm;
	}
}

/* Offsets of each row: the result, and what is stored. */
static int ask_prctl(struct dump *d, struct thread *thread, struct plan *plan)
{
	size_t *offset = part_offsets(d, thread, &prctl_part, 2 * N_ROWS);

	for (size_t i = 0; i < N_ROWS; i++, offset += 2) {
		const struct prctl_row *row = &rows[i];
		struct step *step;

		if (!reads_row(row, thread))
			continue;
		if (row->answer == STORED)
			offset[1] = plan_space(plan, sizeof(int));
		step = plan_syscall(plan, row->why_get, __NR_prctl, V(row->get),
				    row->answer == STORED ? D(offset[1]) : V(0), V(0), V(0), V(0));
		step->flags |= STEP_MAY_FAIL; /* a kernel without it */
		offset[0] = plan_keep_result(plan, step);
	}
	return 0;
}

static int answer_prctl(struct dump *d, struct thread *thread)
{
	const size_t *offset = part_offsets(d, thread, &prctl_part, 2 * N_ROWS);

	for (size_t i = 0; i < N_ROWS; i++, offset += 2) {
		const struct prctl_row *row = &rows[i];
		char *record = record_of(row, thread);
		int64_t value;

		if (!reads_row(row, thread))
			continue;
		value = remote_value(thread->remote, offset[0]);
		if (value < 0)
			continue;
		if (row->answer == STORED)
			value = *(const int *)remote_result(thread->remote, offset[1]);
		if (value == row->usual)
			continue;
		if (row->set == PR_SET_THP_DISABLE && value > 1) { /* Linux 6.18: flags */
			thread->task->mm->has_thp_flags = true;
			thread->task->mm->thp_flags = (uint32_t)value & ~1u;
			value &= 1;
		}
		*(protobuf_c_boolean *)(record + row->has) = true;
		*(int *)(record + row->value) = (int)value;
	}
	return 0;
}

/* Parent-death signals are told; what else is a thread's is a flag. */
static int told_prctl(struct dump *d, struct thread *thread)
{
	const ThreadCoreEntry *other = thread->dump->like->core->thread_core;
	ThreadCoreEntry *record = thread->core->thread_core;

	record->has_tsc_mode = other->has_tsc_mode;
	record->tsc_mode = other->tsc_mode;
	record->has_pdeath_sig = thread->dump->own->death_signal;
	record->pdeath_sig = thread->dump->own->death_signal;
	return 0;
}

/* The value to set, or -1 if the record has none. */
static int wanted_value(const struct prctl_row *row, const struct thread *thread)
{
	const char *record = record_of(row, thread);
	int value;

	if (!sets_row(row, thread) || !record || !*(const protobuf_c_boolean *)(record + row->has))
		return -1;
	value = *(const int *)(record + row->value);
	return value == row->usual ? -1 : value;
}

/* The parent of a root is criu, which ends at once: the signal would come then. */
static bool parent_leaves(const struct restore *r, const struct thread *thread)
{
	const struct task *task = thread->task;

	return !task->parent && r->options->restore_detached && (task->is_joined || !r->options->restore_sibling);
}

static bool is_parent_death(const struct prctl_row *row)
{
	return row->set == PR_SET_PDEATHSIG;
}

static int need_of_memory(const struct restore *r, const MmEntry *mm)
{
	if (mm && mm->has_memory_merge && mm->memory_merge)
		TRY(need_kernel(r, FEATURE_ID_memory_merge));
	if (mm && mm->mdwe)
		TRY(need_kernel(r, FEATURE_ID_mdwe));
	return mm && mm->thp_disabled && mm->thp_flags ? need_kernel(r, FEATURE_ID_thp_disable_flags) : 0;
}

static int check_prctl(const struct restore *r, struct thread *thread)
{
	if (thread == thread->task->leader)
		TRY(need_of_memory(r, thread->task->mm));
	for (size_t i = 0; i < N_ROWS; i++) {
		int value = wanted_value(&rows[i], thread);

		if (value < -1 || value > 64)
			return refuse(EINVAL, "%s is %d: the image is damaged", rows[i].name, value);
		if (value > 0 && is_parent_death(&rows[i]) && parent_leaves(r, thread))
			log_warn("asked for signal %d when its parent dies: not set, as criu, its parent now, ends at "
				 "once; "
				 "--restore-sibling or a restore without --restore-detached keep it",
				 value);
	}
	return 0;
}

/* How the restore will be is not known. */
static void need_parent(const struct restore *r, struct thread *thread)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (is_parent_death(&rows[i]) && !thread->task->parent && wanted_value(&rows[i], thread) > 0)
			log_warn("asked for signal %d when its parent dies: restore it without --restore-detached or "
				 "with --restore-sibling, else it is not set",
				 wanted_value(&rows[i], thread));
}

static int last_prctl(struct restore *r, struct thread *thread, struct plan *plan)
{
	/* Its other steps may change ids. The leader has run its last plan. */
	const bool may_reset = plan_count(plan) > 0;

	for (size_t i = 0; i < N_ROWS; i++) {
		const struct prctl_row *row = &rows[i];
		int value = wanted_value(row, thread);

		if (row->set == PR_SET_DUMPABLE && value > 1) {
			/* "readable by root only": the kernel gives it, nobody may set it. */
			log_debug("dumpable was %d and is set to 0", value);
			value = 0;
		}
		if (is_parent_death(row) && parent_leaves(r, thread))
			continue;
		if (row->scope == MEMORY && thread != thread->task->leader && !may_reset)
			continue;
		if (value >= 0)
			plan_syscall(plan, row->why_set, __NR_prctl, V(row->set), V(value),
				     V(row->set == PR_SET_THP_DISABLE && value ? thread->task->mm->thp_flags : 0), V(0),
				     V(0));
	}
	return 0;
}

const struct task_part prctl_part = {
	.name = "prctl",
	.ask = ask_prctl,
	.answer = answer_prctl,
	.told = told_prctl,
	.check = check_prctl,
	.needs = need_parent,
	.last = last_prctl,
};
