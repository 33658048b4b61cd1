/* SPDX-License-Identifier: GPL-2.0-only */
/* The local descriptor table of a process, modify_ldt(2), where CPUs have one. CRIU does not save it; ours is a field
 * that it skips. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/auto.h"
#include "base/fail.h"
#include "object/task/part.h"
#include "plan/plan.h"
#include "session/thread-run.h"

#ifdef __NR_modify_ldt
#include <asm/ldt.h>

#define READ_TABLE  0
#define WRITE_ENTRY 0x11 /* with all bits of struct user_desc */

extern const struct task_part segments_part;

/* An entry as the CPU has it. */
struct descriptor {
	uint16_t limit, base;
	uint8_t base_16, type, limit_16, base_24;
};

/* In `type` and `limit_16`. */
enum {
	WRITABLE = 2, /* readable, of code */
	PRESENT = 0x80,
	AVAILABLE = 0x10,
	IN_32_BITS = 0x40,
	IN_PAGES = 0x80,
};

/* Whether there is one: most have none, and a whole table has 64 KiB. */
static int ask_table(struct dump *d, struct thread *thread, struct plan *plan)
{
	size_t *offset = part_offsets(d, thread, &segments_part, 1);
	struct step *step;

	if (thread != thread->task->leader)
		return 0;
	step = plan_syscall(plan, "look for a local descriptor table", __NR_modify_ldt, V(READ_TABLE),
			    D(plan_space(plan, LDT_ENTRY_SIZE)), V(LDT_ENTRY_SIZE));
	step->flags |= STEP_MAY_FAIL; /* a kernel without CONFIG_MODIFY_LDT_SYSCALL */
	*offset = plan_keep_result(plan, step);
	return 0;
}

static int answer_table(struct dump *d, struct thread *thread)
{
	if (thread == thread->task->leader)
		thread->task->mm->has_ldt =
			(int)remote_value(thread->remote, *part_offsets(d, thread, &segments_part, 1)) > 0;
	return 0;
}

struct table_reading {
	struct dump *d;
	struct task *task;
	size_t table, result;
};

static int read_table(struct remote *remote, void *arg)
{
	const struct table_reading *reading = arg;
	int size = (int)remote_value(remote, reading->result);
	const char *table = remote_result(remote, reading->table);

	if (size < 0)
		return fail(-size, "reading the local descriptor table");
	for (size = LDT_ENTRIES;
	     size && !memcmp(table + (size - 1) * LDT_ENTRY_SIZE, (char[LDT_ENTRY_SIZE]){ 0 }, LDT_ENTRY_SIZE);)
		size--;
	reading->task->mm->ldt.len = (size_t)size * LDT_ENTRY_SIZE;
	reading->task->mm->ldt.data = pool_copy(reading->d->pool, table, (size_t)size * LDT_ENTRY_SIZE);
	return 0;
}

static int save_tables(struct dump *d)
{
	struct task *task;

	for_each_task(task, d->tree) {
		AUTO(plan_destroy) struct plan *plan = NULL;
		struct table_reading reading = { d, task };

		if (!task_is_live(task) || !task->mm || !task->mm->has_ldt)
			continue;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		plan = plan_create();
		reading.table = plan_space(plan, LDT_ENTRIES * LDT_ENTRY_SIZE);
		reading.result = plan_keep_result(plan, plan_syscall(plan, "read the local descriptor table",
								     __NR_modify_ldt, V(READ_TABLE), D(reading.table),
								     V(LDT_ENTRIES * LDT_ENTRY_SIZE)));
		TRY(thread_run_plan(d, task->leader, plan, read_table, &reading));
	}
	return 0;
}

static int check_table(const struct restore *r, struct thread *thread)
{
	const MmEntry *mm = thread->task->mm;

	if (thread == thread->task->leader && mm && mm->has_ldt &&
	    (mm->ldt.len > LDT_ENTRIES * LDT_ENTRY_SIZE || mm->ldt.len % LDT_ENTRY_SIZE))
		return refuse(EINVAL, "the local descriptor table has %zu bytes: the image is damaged", mm->ldt.len);
	return 0;
}

static int plan_table(struct restore *r, struct thread *thread, struct plan *plan)
{
	const MmEntry *mm = thread->task->mm;

	if (thread != thread->task->leader || !mm->has_ldt || thread->task->restore->memory_from)
		return 0;
	for (unsigned i = 0; i < mm->ldt.len / LDT_ENTRY_SIZE; i++) {
		struct descriptor entry;
		struct user_desc desc = { .entry_number = i };

		memcpy(&entry, mm->ldt.data + i * LDT_ENTRY_SIZE, sizeof(entry));
		if (!entry.type)
			continue;
		desc.base_addr = entry.base | (unsigned)entry.base_16 << 16 | (unsigned)entry.base_24 << 24;
		desc.limit = entry.limit | (unsigned)(entry.limit_16 & 0xf) << 16;
		desc.seg_32bit = !!(entry.limit_16 & IN_32_BITS);
		desc.contents = entry.type >> 2 & 3;
		desc.read_exec_only = !(entry.type & WRITABLE);
		desc.limit_in_pages = !!(entry.limit_16 & IN_PAGES);
		desc.seg_not_present = !(entry.type & PRESENT);
		desc.useable = !!(entry.limit_16 & AVAILABLE);
		plan_syscall(plan, "set an entry of the local descriptor table", __NR_modify_ldt, V(WRITE_ENTRY),
			     D(plan_data(plan, &desc, sizeof(desc))), V(sizeof(desc)));
	}
	return 0;
}
#endif

const struct task_part segments_part = {
	.name = "segments",
#ifdef __NR_modify_ldt
	.ask = ask_table,
	.answer = answer_table,
	.write = save_tables,
	.check = check_table,
	.plan = plan_table,
#endif
};
