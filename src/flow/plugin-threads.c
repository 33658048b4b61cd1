/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that plugins let run for a while, though their task stands still. No signal reaches them meanwhile, and their
 * seccomp filters hold: a program could pretend that any of its threads is the driver's.
 */
#include "flow/plugin-threads.h"

#include "base/fail.h"
#include "lib/compel/tracee.h"
#include "session/session.h"

static const struct thread *find_thread(const struct task_tree *tree, int tid)
{
	const struct task *task;
	const struct thread *thread;

	for_each_task(task, tree) {
		if (!task_is_live(task))
			continue;
		for_each_thread(thread, task)
			if (thread->tid == tid)
				return thread;
	}
	return NULL;
}

static int run_thread(const struct task_tree *tree, int tid, uint64_t *ret_mask)
{
	const struct thread *thread = find_thread(tree, tid);

	if (!thread)
		return refuse(ESRCH, "a plugin wants thread %d to run, which is not of the tree", tid);
	TRY(tracee_get_sigmask(tid, ret_mask));
	TRY(tracee_set_sigmask(tid, UINT64_MAX));
	tracee_outlive_us(tid); /* also: under its filters */
	return tracee_continue(tid);
}

static int stop_thread(int tid, uint64_t mask, const struct deadline *deadline)
{
	int signal;

	TRY(tracee_interrupt(tid));
	TRY(tracee_wait_stop(tid, deadline, &signal));
	return tracee_set_sigmask(tid, mask);
}

static int run_of_dump(void *session, int tid, uint64_t *ret_mask)
{
	return run_thread(((const struct dump *)session)->tree, tid, ret_mask);
}

static int stop_of_dump(void *session, int tid, uint64_t mask)
{
	const struct dump *d = session;
	const struct thread *thread = find_thread(d->tree, tid);

	TRY(stop_thread(tid, mask, &d->progress->deadline));
	if (thread && thread->dump && thread->dump->status.seccomp && tracee_suspend_seccomp(tid) < 0)
		return fail_errno("suspending the seccomp filters of thread %d", tid);
	return 0;
}

static int run_of_restore(void *session, int tid, uint64_t *ret_mask)
{
	return run_thread(((const struct restore *)session)->tree, tid, ret_mask);
}

static int stop_of_restore(void *session, int tid, uint64_t mask)
{
	const struct restore *r = session;

	TRY(stop_thread(tid, mask, &r->progress->deadline));
	return tracee_kill_with_us(tid);
}

const struct plugin_host dump_plugin_host = { run_of_dump, stop_of_dump };
const struct plugin_host restore_plugin_host = { run_of_restore, stop_of_restore };

void restore_resume_devices(struct restore *r)
{
	struct task *task;

	for_each_task(task, r->tree)
		if (task_is_live(task))
			(void)plugins_check(r->plugins, plugins_ask(r->plugins, RESUME_DEVICES_LATE, task->pid));
}
