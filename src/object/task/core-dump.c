/* SPDX-License-Identifier: GPL-2.0-only */
/* Which memory of a process goes into a core dump: /proc/PID/coredump_filter, see core(5). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "object/task/part.h"
#include "object/task/self.h"

/* 1: read; 0: it has none, or this kernel makes no core dumps. */
static int read_filter(int proc, uint32_t *ret)
{
	char text[32];
	ssize_t size = file_read_text(proc, "coredump_filter", text, sizeof(text));

	if (size <= 0)
		return 0;
	text[strcspn(text, "\n")] = 0;
	if (text_to_u32(text, 16, ret) < 0)
		return fail(EINVAL, "coredump_filter is \"%s\"", text);
	return 1;
}

static int dump_filter(const struct dump *d, struct thread *thread)
{
	TaskCoreEntry *tc = thread->core->tc;
	int found;

	if (thread != thread->task->leader)
		return 0;
	found = read_filter(thread->task->dump->proc, &tc->coredump_filter);
	tc->has_coredump_filter = found > 0;
	return found < 0 ? found : 0;
}

/* The kernel gives a new task that of its creator. */
static bool has_inherited(struct restore *r, uint32_t wanted)
{
	struct restore_inherited *inherited = &restore_self_of(r)->core_filter;
	uint32_t own = 0;

	if (!inherited->is_known) {
		AUTO_CLOSE int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

		inherited->is_known = true;
		inherited->is_changed = proc < 0 || read_filter(proc, &own) <= 0;
		inherited->value = own;
	}
	return !inherited->is_changed && inherited->value == wanted;
}

static int settle_filter(struct restore *r, struct thread *thread)
{
	const TaskCoreEntry *tc = thread->core->tc;
	uint32_t now = 0;
	char text[16];
	int error;

	if (thread != thread->task->leader || !tc->has_coredump_filter)
		return 0;
	if (has_inherited(r, tc->coredump_filter))
		return 0;
	TRY(read_filter(thread->task->restore->proc, &now));
	if (now == tc->coredump_filter)
		return 0;
	restore_self_of(r)->core_filter.is_changed = true;
	snprintf(text, sizeof(text), "0x%x", tc->coredump_filter);
	error = file_write_text(thread->task->restore->proc, "coredump_filter", text);
	return error < 0 ? fail(-error, "setting coredump_filter to %s", text) : 0;
}

const struct task_part core_dump_part = {
	.name = "core-dump",
	.aside = dump_filter,
	.settle = settle_filter,
};
