/* SPDX-License-Identifier: GPL-2.0-only */
/* How ready the kernel is to kill a process when memory is out: /proc/PID/oom_score_adj, see proc(5). */
#include <errno.h>
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

static int read_oom_score(int proc, int *ret)
{
	char text[32];
	ssize_t size = file_read_text(proc, "oom_score_adj", text, sizeof(text));

	if (size < 0)
		return fail((int)-size, "reading oom_score_adj");
	text[strcspn(text, "\n")] = 0;
	if (text_to_int(text, ret) < 0)
		return fail(EINVAL, "oom_score_adj is \"%s\"", text);
	return 0;
}

static int dump_oom_score(const struct dump *d, struct thread *thread)
{
	TaskCoreEntry *tc = thread->core->tc;

	if (thread != thread->task->leader)
		return 0;
	tc->has_oom_score_adj = true;
	if (thread->dump->own) {
		tc->oom_score_adj = thread->dump->own->oom_score;
		return 0;
	}
	return read_oom_score(thread->task->dump->proc, &tc->oom_score_adj);
}

static int check_oom_score(const struct restore *r, struct thread *thread)
{
	const TaskCoreEntry *tc = thread->core->tc;

	if (thread == thread->task->leader && (tc->oom_score_adj < -1000 || tc->oom_score_adj > 1000))
		return refuse(EINVAL, "oom_score_adj is %d: the image is damaged", tc->oom_score_adj);
	return 0;
}

/* The kernel gives a new task that of its creator. */
static bool has_inherited(struct restore *r, int wanted)
{
	struct restore_inherited *inherited = &restore_self_of(r)->oom_score;
	int own = 0;

	if (!inherited->is_known) {
		AUTO_CLOSE int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

		inherited->is_known = true;
		inherited->is_changed = proc < 0 || read_oom_score(proc, &own) < 0;
		inherited->value = own;
	}
	return !inherited->is_changed && inherited->value == wanted;
}

static int settle_oom_score(struct restore *r, struct thread *thread)
{
	const TaskCoreEntry *tc = thread->core->tc;
	int now, error;
	char text[16];

	if (thread != thread->task->leader || !tc->has_oom_score_adj)
		return 0;
	if (has_inherited(r, tc->oom_score_adj))
		return 0;
	TRY(read_oom_score(thread->task->restore->proc, &now));
	if (now == tc->oom_score_adj)
		return 0;
	restore_self_of(r)->oom_score.is_changed = true;
	snprintf(text, sizeof(text), "%d", tc->oom_score_adj);
	error = file_write_text(thread->task->restore->proc, "oom_score_adj", text);
	if (error < 0)
		return fail(-error, "setting oom_score_adj from %d to %d; lowering it takes CAP_SYS_RESOURCE", now,
			    tc->oom_score_adj);
	return 0;
}

const struct task_part oom_score_part = {
	.name = "oom-score",
	.aside = dump_oom_score,
	.check = check_oom_score,
	.settle = settle_oom_score,
};
