/* SPDX-License-Identifier: GPL-2.0-only */
/* What open files do in which phase; most of it is the work of the file kinds. */
#include "engine/family.h"
#include "object/file/descriptors-restore.h"
#include "object/file/descriptors.h"
#include "object/file/file-dump.h"
#include "object/file/file-restore.h"
#include "object/file/inspect.h"
#include "object/file/locks.h"
#include "object/file/tty/restore.h"

static int plan_furnish(struct restore *r, struct task *task, struct plan *plan)
{
	return task->restore->files_from ? 0 : file_plan_table(r, task, plan);
}

static void file_furnished(struct restore *r, struct task *task)
{
	if (!task->restore->files_from)
		file_table_done(r, task);
}

static int plan_files(struct restore *r, struct thread *thread, struct plan *plan)
{
	if (thread != thread->task->leader || !task_is_live(thread->task))
		return 0;
	return file_plan_late(r, thread->task, plan);
}

static int plan_last_locks(struct restore *r, struct thread *thread, struct plan *plan)
{
	return thread == thread->task->leader ? locks_plan(r, thread->task, true, plan) : 0;
}

const struct object_family file_family = {
	.name = "file",
	.dump_begin = file_dump_begin,
	.dump_collect = file_dump_collect,
	.dump_files = file_dump_tables,
	.dump_finish = file_dump_finish,
	.dump_write = file_dump_write,
	.dump_end = file_dump_end,
	.restore_load = file_restore_load,
	.restore_link = file_restore_link,
	.restore_needs = file_restore_needs,
	.restore_copies = file_restore_copies,
	.restore_inspect = file_restore_inspect,
	.restore_make = file_restore_choose_numbers,
	.restore_session = tty_plan_session, /* its controlling terminal */
	.restore_furnish = plan_furnish,
	.restore_furnished = file_furnished,
	.restore_plan = plan_files,
	.restore_settle = file_restore_settle,
	.restore_last = plan_last_locks,
	.restore_resume = file_restore_resume,
	.restore_clean = file_restore_clean,
	.restore_end = file_restore_clean,
};
