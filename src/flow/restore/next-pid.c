/* SPDX-License-Identifier: GPL-2.0-only */
/* New tasks and threads whose creators may not choose a pid. */
#include "flow/restore/next-pid.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/grace.h"
#include "base/log.h"
#include "flow/restore/birth.h"
#include "flow/number.h"
#include "flow/restore/pid-wait.h"
#include "kern/last-pid.h"
#include "kern/proc/children.h"
#include "lib/compel/restorer.h"
#include "object/namespace/namespace.h"
#include "plan/plan.h"
#include "task/pid-space.h"

/* Whether the creator may choose the number in that namespace. */
static bool may_choose(const struct restore *r, const struct task *creator, const struct pid_space *space)
{
	const struct namespace *users = user_now(r, creator);

	return users ? space && pid_space_owner(r, space) == users
		     : (!space && (!r->facts->ids || r->facts->inner_pids)) || (space && !pid_space_owner(r, space));
}

/* In how many, from its own outwards. */
static unsigned count_chosen(const struct restore *r, const struct task *creator, const struct task *made)
{
	const struct pid_space *space = made->pid_space;
	unsigned n = 0;

	for (; may_choose(r, creator, space); space = space->parent, n++)
		if (!space)
			return n + 1;
	return n;
}

static unsigned count_levels(const struct task *made)
{
	return made->pid_space ? made->pid_space->depth + 1 : 1;
}

bool next_pid_is_used(const struct restore *r, const struct task *creator, const struct task *made)
{
	if (!creator->restore->users && !r->facts->ids)
		return false;
	return count_chosen(r, creator, made) < count_levels(made);
}

static int run_in_task(struct restore *r, struct task *task, const struct plan *plan)
{
	return remote_run(task->leader->remote, plan, &r->progress->deadline);
}

static int set_last(struct restore *r, const struct pid_space *space, pid_t wanted, pid_t *ret_old)
{
	const struct task *there = space ? space->first : r->tree->root;
	struct last_pid last = { .wanted = wanted };

	TRY(space || r->facts->inner_pids ? namespace_run(there->restore->proc, CLONE_NEWPID, last_pid_write, &last)
					  : last_pid_write(&last));
	*ret_old = last.old;
	return 0;
}

/* Those that its creator may not choose, unless it is the first there. Afterwards others shall not go on where we have
 * more to make. */
static int set_all(struct restore *r, const struct thread *thread, unsigned chosen, bool back, pid_t *old)
{
	const struct pid_space *space = thread->task->pid_space;
	pid_t unused;

	for (unsigned i = 0; i < count_levels(thread->task); i++) {
		if (i >= chosen && !(space && space->first == thread->task && thread == thread->task->leader))
			TRY(back ? set_last(r, space, old[i], &unused)
				 : set_last(r, space, thread_tid_in(thread, space) - 1, &old[i]));
		space = space ? space->parent : NULL;
	}
	return 0;
}

static int try_once(struct restore *r, struct task *creator, struct thread *thread, pid_t *ret)
{
	unsigned chosen = count_chosen(r, creator, thread->task);
	AUTO(plan_destroy) struct plan *plan = plan_create();
	pid_t old[PROC_MAX_PID_LEVELS];
	size_t at;

	if (thread == thread->task->leader)
		TRY(birth_plan(r, thread->task, (int)chosen, plan, &at));
	else
		restorer_plan_clone_some(plan, thread->remote, THREAD_FLAGS, 0, chosen, &at);
	TRY(set_all(r, thread, chosen, false, old));
	TRY(run_in_task(r, creator, plan));
	TRY(set_all(r, thread, chosen, true, old));
	*ret = (pid_t)remote_value(creator->leader->remote, at);
	return *ret < 0 ? fail(-*ret, "making the process or thread %d", thread->vtid) : 0;
}

static bool is_right(const struct restore *r, const struct task *creator, const struct thread *thread, pid_t pid)
{
	const struct task *task = thread->task;

	if (!task->pid_space)
		return pid == thread->vtid;
	return number_is_right(r, thread, task->restore->by_sibling ? creator->parent : creator);
}

/* Who was faster may be there for a moment only. */
static int await_pid(const struct restore *r, pid_t pid)
{
	unsigned waited_ms = 0;

	for (unsigned i = 0; i < GRACE_PID_MS && !r->facts->inner_pids && kill(pid, 0) == 0; i++)
		usleep(1000);
	while (!r->facts->inner_pids && kill(pid, 0) == 0)
		TRY(restore_wait_for_pid(r, pid, &waited_ms));
	return 0;
}

static int count_threads(const struct task *task, size_t *ret)
{
	AUTO(proc_pids_done) struct proc_pids tids = { 0 };

	TRY(proc_threads_read(task->restore->proc, &tids));
	*ret = tids.n;
	return 0;
}

/* The new one has another pid, and ends. */
static int end_other(struct restore *r, struct task *creator, struct thread *thread, pid_t pid)
{
	AUTO(plan_destroy) struct plan *plan = plan_create(), *reap = plan_create();
	bool process = thread == thread->task->leader, seen = !r->facts->inner_pids && !thread->task->pid_space;
	size_t n = 0, left;

	TRY(count_threads(creator, &n));
	left = n;
	plan_syscall(plan, "end again", process ? __NR_exit_group : __NR_exit, V(0));
	restorer_set_tid(thread->remote, seen ? pid : 0);
	TRY(restorer_wait_arrival(thread->remote, &r->progress->deadline));
	TRY(remote_post(thread->remote, plan));
	if (process) {
		plan_syscall(reap, "reap the one with another pid", __NR_wait4, V(pid), V(0), V(__WALL), V(0));
		TRY(run_in_task(r, thread->task->restore->by_sibling ? creator->parent : creator, reap));
	}
	while (!process && left == n) {
		if (deadline_passed(&r->progress->deadline))
			return refuse(ETIMEDOUT, "a thread that has another tid does not end");
		usleep(100);
		TRY(count_threads(creator, &left));
	}
	restorer_set_tid(thread->remote, r->facts->inner_pids ? 0 : thread->vtid);
	restorer_reset(thread->remote);
	return 0;
}

int next_pid_make(struct restore *r, struct task *creator, struct thread *thread)
{
	pid_t pid = 0;

	for (;;) {
		TRY(await_pid(r, thread->vtid));
		TRY(try_once(r, creator, thread, &pid));
		if (is_right(r, creator, thread, pid))
			return 0;
		log_debug("It has got the pid %d instead of %d: once more", pid, thread->vtid);
		TRY(end_other(r, creator, thread, pid));
		if (deadline_passed(&r->progress->deadline))
			return refuse(EAGAIN,
				      "others were always faster in taking the pid %d: try again when less processes "
				      "are started here",
				      thread->vtid);
	}
}

static void raise_in(struct restore *r, const struct pid_space *space)
{
	const struct task *there = space ? space->first : r->tree->root, *task;
	struct last_pid last = { .wanted = 0 };
	const struct thread *thread;

	for_each_task(task, r->tree) {
		for_each_thread(thread, task) {
			pid_t number = thread_tid_in(thread, space);

			last.wanted = number > last.wanted ? number : last.wanted;
		}
	}
	if (last.wanted > 1 && there && task_is_live(there) &&
	    namespace_run(there->restore->proc, CLONE_NEWPID, last_pid_raise, &last) < 0)
		log_warn("the next processes there get low pids");
}

void next_pids_raise(struct restore *r)
{
	const struct pid_space *space;

	if (r->facts->inner_pids)
		raise_in(r, NULL);
	for_each_pid_space(space, r->tree) raise_in(r, space);
}
