/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel undoes of System V semaphores when a process ends (SEM_UNDO). It tells nobody, but kcmp(2) says
 * whether a process may have any: then its list is another one than that of a process that has none. The list comes
 * with the first such operation, or with the first thread.
 */
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "object/ipc/ipc.h"
#include "object/namespace/namespace.h"
#include "object/task/part.h"
#include "session/loss.h"

#ifndef SEM_INFO
#define SEM_INFO 19
#endif

static bool has_semaphores(const struct dump *d, const struct task *task)
{
	const struct namespace *ns = namespace_of(dump_namespaces(d), task, namespace_kind_find(CLONE_NEWIPC));
	struct seminfo info = { 0 };

	if (ns && !ns->own)
		return ns->data && ((const struct ipc_contents *)ns->data)->n_semaphores;
	return semctl(0, 0, SEM_INFO, &info) >= 0 && info.semusz > 0;
}

static void look_at_task(const struct dump *d, const struct task *task, pid_t *other)
{
	if (!task_is_live(task) || !has_semaphores(d, task))
		return;
	if (!*other)
		*other = fork();
	if (*other == 0)
		for (;;)
			pause();
	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	if (*other > 0 && syscall(__NR_kcmp, *other, task->pid, KCMP_SYSVSEM, 0, 0) > 0)
		dump_report_loss(d,
				 "what is undone of System V semaphores when it ends (SEM_UNDO), if there is anything");
}

static int tell_undo(const struct dump *d)
{
	struct task *task;
	pid_t other = 0;

	for_each_task(task, d->tree)
		look_at_task(d, task, &other);
	if (other > 0) {
		kill(other, SIGKILL);
		waitpid(other, NULL, 0);
	}
	return 0;
}

const struct task_part undo_part = {
	.name = "semaphore undo",
	.finish = tell_undo,
};
