/* SPDX-License-Identifier: GPL-2.0-only */
/* criu inspect: what a task is, besides its memory and files. */
#include "object/task/thread/inspect.h"

#include "base/outline.h"
#include "session/inspection.h"
#include "session/session.h"

static uint64_t join_words(const uint32_t *words, size_t n)
{
	return (n > 0 ? words[0] : 0) | (uint64_t)(n > 1 ? words[1] : 0) << 32;
}

static void inspect_credentials(const CredsEntry *creds, struct outline *to)
{
	outline_add_number(to, "user", creds->euid);
	outline_add_number(to, "group", creds->egid);
	if (creds->uid != creds->euid || creds->gid != creds->egid)
		outline_add_text(to, "real user and group", "%u %u", creds->uid, creds->gid);
	outline_add_text(to, "capabilities", "%#llx", (unsigned long long)join_words(creds->cap_eff, creds->n_cap_eff));
	if (creds->lsm_profile)
		outline_add_text(to, "security profile", "%s", creds->lsm_profile);
	if (creds->no_new_privs)
		outline_add_text(to, "no_new_privs", "yes");
}

static void inspect_thread(const struct thread *thread, struct outline *to)
{
	const ThreadCoreEntry *core = thread->core ? thread->core->thread_core : NULL;
	struct outline *one = outline_add_group(to, NULL);

	outline_add_number(one, "tid", thread->vtid);
	if (!core)
		return;
	outline_add_text(one, "name", "%s", core->comm ? core->comm : thread->task->comm);
	if (core->has_sched_nice && core->sched_nice)
		outline_add_text(one, "nice", "%d", core->sched_nice);
	if (core->has_seccomp_mode && core->seccomp_mode)
		outline_add_text(one, "seccomp", "%s",
				 core->seccomp_mode == SECCOMP_MODE__filter ? "filter" : "strict");
}

int task_restore_inspect(const struct restore *r, struct task *task)
{
	struct outline *to = r->inspection->task, *list;
	struct thread *thread;

	if (!task_is_live(task))
		return 0;
	if (task->leader->core && task->leader->core->thread_core && task->leader->core->thread_core->creds)
		inspect_credentials(task->leader->core->thread_core->creds, to);
	list = outline_add_list(to, "threads");
	for_each_thread(thread, task)
		inspect_thread(thread, list);
	return 0;
}
