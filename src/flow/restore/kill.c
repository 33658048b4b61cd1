/* SPDX-License-Identifier: GPL-2.0-only */
/* What a restore that has failed leaves: nothing. */
#include "flow/restore/kill.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/deadline.h"
#include "base/fail.h"
#include "base/grace.h"
#include "flow/freeze/orphans.h"
#include "flow/number.h"
#include "kern/pidfd.h"
#include "kern/proc/maps.h"
#include "kern/proc/proc.h"
#include "kern/proc/stat.h"
#include "lib/compel/parasite.h"
#include "lib/compel/remote.h"
#include "lib/compel/tracee.h"
#include "plan/plan.h"
#include "session/session.h"

static void kill_all_but(struct restore *r, const struct task *spared)
{
	bool has_pid_namespaces = r->facts->inner_pids || r->tree->pid_spaces || spared;
	struct thread *thread;
	struct task *task;

	for_each_task(task, r->tree)
		if (task != spared && task->pid > 0)
			kill(task->pid, SIGKILL);
	if (has_pid_namespaces)
		number_reap(r->tree, spared);
	for_each_task(task, r->tree) {
		if (task == spared)
			continue;
		for_each_thread(thread, task)
			if (thread != task->leader && thread->tid > 0 && !has_pid_namespaces)
				tracee_reap(thread->tid);
		if (task->is_joined && task->pid > 0)
			waitpid(task->pid, NULL, __WALL | WNOHANG); /* the first of its pid namespace waits for that */
		if (task->pid > 0 && task->restore->pidfd >= 0)
			(void)pidfd_wait_exit(task->restore->pidfd, GRACE_UNDO_MS);
	}
}

/* The root waits for plans, or has run the last of them and stands in a ptrace stop. */
static bool stands_still(const struct task *root)
{
	struct proc_stat stat;

	return proc_stat_read(root->restore->proc, &stat) == 0 && stat.state == 't';
}

/* By a plan: what the root was doing must be over first. */
static int take_by_plan(struct task *root)
{
	const struct deadline soon = deadline_in_seconds(GRACE_RELEASE_S);
	AUTO(plan_destroy) struct plan *plan = plan_create();

	TRY(remote_await_idle(root->leader->remote, &soon));
	plan_syscall(plan, "take orphans", __NR_prctl, V(PR_SET_CHILD_SUBREAPER), V(1));
	return remote_run(root->leader->remote, plan, &soon);
}

static int reap_by_plan(struct restore *r)
{
	const struct deadline soon = deadline_in_seconds(GRACE_RELEASE_S);
	AUTO(plan_destroy) struct plan *plan = plan_create();

	for (unsigned i = 0; i < r->tree->n_tasks; i++)
		plan_syscall(plan, "reap an orphan", __NR_wait4, V(-1), V(0), V(__WALL), V(0))->flags |= STEP_MAY_FAIL;
	return remote_run(r->tree->root->leader->remote, plan, &soon);
}

static int take_in_stop(struct restore *r, struct orphans **ret)
{
	const struct task *root = r->tree->root;
	AUTO(mappings_done) struct mappings mappings = { 0 };
	struct parasite_process process = { .tid = root->pid, .proc = root->restore->proc, .mem = -1 };

	TRY(mappings_read(process.proc, MAPPINGS_PLAIN, &mappings));
	TRY(parasite_read_state(root->pid, r->pool, &process.state));
	return orphans_take(&process, &mappings, NULL, r->tree->n_tasks, ret);
}

/* As a dump does: flow/freeze/orphans.h. Whatever fails is logged, and only makes zombies. */
static void kill_below_root(struct restore *r)
{
	struct task *root = r->tree->root;
	struct orphans *orphans = NULL;

	if (!stands_still(root)) {
		if (take_by_plan(root) < 0)
			return;
		kill_all_but(r, root);
		(void)reap_by_plan(r);
	} else if (take_in_stop(r, &orphans) == 0) {
		kill_all_but(r, root);
		orphans_reap(&orphans);
	}
}

void restore_kill(struct restore *r)
{
	struct task *root = r->tree ? r->tree->root : NULL;

	r->failed = true;
	if (!r->tree)
		return;
	if (root && root->pid > 0 && root->restore->proc >= 0 && r->tree->n_tasks > 1 &&
	    orphans_may_stay(root->restore->proc, root->vpid))
		kill_below_root(r);
	kill_all_but(r, NULL);
	if (root && root->pid > 0)
		waitpid(root->pid, NULL, __WALL);
}
