/* SPDX-License-Identifier: GPL-2.0-only */
/* How nice a session is to others: /proc/PID/autogroup, see sched(7). It is asked for the leader. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/task/part.h"

/* "/autogroup-123 nice 5"; 0 as well where there are none. */
static int read_nice(int proc)
{
	char text[64];
	ssize_t size = file_read_text(proc, "autogroup", text, sizeof(text));
	const char *nice = size > 0 ? strstr(text, " nice ") : NULL;

	return nice ? atoi(nice + strlen(" nice ")) : 0;
}

static int dump_autogroup(const struct dump *d, struct thread *thread)
{
	const struct task *task = thread->task;
	TaskCoreEntry *tc = thread->core->tc;

	if (thread != task->leader || getsid(task->pid) != task->pid)
		return 0;
	tc->autogroup_nice = read_nice(task->dump->proc);
	tc->has_autogroup_nice = tc->autogroup_nice != 0;
	return 0;
}

static int check_autogroup(const struct restore *r, struct thread *thread)
{
	const TaskCoreEntry *tc = thread->core->tc;

	if (thread == thread->task->leader && (tc->autogroup_nice < -20 || tc->autogroup_nice > 19))
		return refuse(EINVAL, "its session has the nice value %d: the image is damaged", tc->autogroup_nice);
	return 0;
}

static int settle_autogroup(struct restore *r, struct thread *thread)
{
	const TaskCoreEntry *tc = thread->core->tc;
	char text[16];
	int error;

	if (thread != thread->task->leader || !tc->has_autogroup_nice)
		return 0;
	snprintf(text, sizeof(text), "%d", tc->autogroup_nice);
	error = file_write_text(thread->task->restore->proc, "autogroup", text);
	if (error < 0)
		log_warn("the nice value %s of its session cannot be set (/proc/PID/autogroup): %s", text,
			 strerror(-error));
	return 0;
}

const struct task_part autogroup_part = {
	.name = "autogroup",
	.aside = dump_autogroup,
	.check = check_autogroup,
	.settle = settle_autogroup,
};
