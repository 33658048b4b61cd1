/* SPDX-License-Identifier: GPL-2.0-only */
/* Making the tasks of the tree. */
#include "flow/restore/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "engine/engine.h"
#include "flow/restore/birth.h"
#include "flow/restore/ending.h"
#include "flow/restore/next-pid.h"
#include "flow/number.h"
#include "flow/restore/pid-wait.h"
#include "kern/pidfd.h"
#include "kern/proc/proc.h"
#include "image/inventory.h"
#include "lib/compel/restorer.h"
#include "object/namespace/namespace.h"
#include "plan/plan.h"
#include "plugin/plugin.h"
#include "task/pid-space.h"

static int run_in_task(struct restore *r, struct task *task, const struct plan *plan)
{
	if (!plan_count(plan))
		return 0;
	return remote_run(task->leader->remote, plan, &r->progress->deadline);
}

static int open_proc(struct task *task)
{
	task->restore->proc = proc_open(task->pid);
	if (task->restore->proc < 0)
		return fail(-task->restore->proc, "opening /proc/%d", task->pid);
	task->restore->pidfd = pidfd_of_process(task->pid);
	if (task->restore->pidfd < 0)
		return fail(-task->restore->pidfd, "opening a pidfd of task %d", task->pid);
	return 0;
}

static int task_arrived(struct restore *r, struct task *task)
{
	if (r->facts->inner_pids && task->is_root)
		TRY(number_root(r));
	if (r->facts->inner_pids && task->parent) {
		TRY(number_new_task(r, task, task->parent));
		restorer_set_tid(task->leader->remote, task->pid);
	}
	TRY(restorer_wait_arrival(task->leader->remote, &r->progress->deadline));
	task->leader->tid = task->pid;
	task->restore->made = true;
	log_info("Made, as a child of %d", task->parent ? task->parent->vpid : getpid());
	if (task->restore->creator)
		namespaces_born_like(task, task->restore->creator);
	if (r->facts->inner_pids)
		log_info("From outside it is process %d", task->pid);
	TRY(open_proc(task));
	return phase_restore_arrive(r, task);
}

struct boot {
	struct restore *r;
	struct restorer_birth plain;
	int space; /* file of a pid namespace, -1: the one that is given, if any */
};

static int boot_root(void *arg)
{
	struct boot *boot = arg;
	int home, result, back;

	if (boot->space < 0)
		TRY(pid_given_enter(boot->r, &home));
	else
		TRY(pid_space_enter(boot->space, &home));
	(void)restorer_birth_run(&boot->plain);
	result = restorer_birth_result(&boot->plain);
	back = pid_space_leave(home);
	return back < 0 ? back : result;
}

/*
 * The root, or a further one. Those are born into a pid namespace that is there, and so are their other namespaces.
 * They are always children of criu, which reaps them if the restore fails: the first process of the namespace cannot
 * end before, and whoever called us may wait for us.
 */
static int make_root(struct restore *r, struct task *root)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	AUTO_CLOSE int us = r->us > 0 ? pidfd_of_process(getpid()) : -1;
	struct restorer_first first = {
		.tid = task_own_pid(root),
		.outer = r->facts->inner_pids && root->is_root ? (pid_t)r->inventory->root_pid : 0,
		.sibling = (r->options->restore_sibling || r->birth_apart) && root->is_root,
		.parent = r->facts->inner_pids || root->is_joined ? us : 0,
		.flags = root->is_root ? r->birth_flags : 0,
	};
	struct boot boot = { .r = r, .space = root->is_joined ? pid_space_file(r, root->pid_space) : -1 };
	const struct root_birth birth = { boot_root, &boot, &boot.plain };
	unsigned waited = 0;
	int error, kept = r->facts->ids ? r->stand_in : us;

	if (root->is_joined)
		TRY(boot.space);
	if (r->us > 0 && us < 0)
		return fail(-us, "opening a pidfd of ourselves");
	TRY(phase_restore_enter_root(r, root, plan));
	TRY(restorer_birth_init(&boot.plain, root->leader->remote, &first));
	while ((error = r->give_birth ? r->give_birth(r, &birth) : boot_root(&boot)) == -EEXIST)
		TRY(restore_wait_for_pid(r, root->vpid, &waited));
	TRY(error);
	restorer_born(root->leader->remote, &boot.plain);
	root->pid = remote_tid(root->leader->remote);
	TRY(task_arrived(r, root));
	/* It still has our whole address space and all our descriptors around it. */
	TRY(phase_restore_empty(r, root, plan));
	if (r->us > 0 && r->us != kept)
		plan_syscall(plan, "keep the pidfd of criu", __NR_dup3, V(kept), V(r->us), V(O_CLOEXEC));
	restorer_plan_close_all(plan, r->us);
	return run_in_task(r, root, plan);
}

/*
 * A visit to a task costs two changes of process, so what many siblings need is asked of all before the first is waited
 * for. And while their creator makes the next ones, those that it has made get their memory.
 */
#define BIRTHS_AT_ONCE 16

struct birth_batch {
	struct task **tasks;
	struct plan **plans;
	size_t *results; /* offsets of the results of the clone steps */
	size_t n;
	size_t n_posted, n_born; /* so many are asked for, and have been heard of */
	struct plan *births;	 /* that their creator runs, for those in between */
};

static void batch_done(struct birth_batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		plan_destroy(&batch->plans[i]);
	plan_destroy(&batch->births);
	free(batch->tasks);
	free(batch->plans);
	free(batch->results);
}

/* The pid was in use when the batch was made. */
static int clone_again(struct restore *r, struct task *task)
{
	struct task *creator = task->restore->creator;
	unsigned waited = 0;
	int64_t result = -EEXIST;

	while (result == -EEXIST) {
		AUTO(plan_destroy) struct plan *plan = plan_create();
		size_t at;

		TRY(restore_wait_for_pid(r, task->vpid, &waited));
		TRY(birth_plan(r, task, -1, plan, &at));
		TRY(run_in_task(r, creator, plan));
		result = remote_value(creator->leader->remote, at);
	}
	return result < 0 ? fail((int)-result, "making task %d", task->vpid) : 0;
}

static int make_one_by_one(struct restore *r, struct task *creator, struct birth_batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		struct task *task = batch->tasks[i];

		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		TRY(next_pid_make(r, creator, task->leader));
		if (!r->facts->inner_pids)
			task->pid = task->vpid;
		TRY(task_arrived(r, task));
	}
	return 0;
}

/* One plan of their creator makes them all. */
static int begin_births(struct restore *r, struct task *creator, struct birth_batch *batch)
{
	const size_t end = batch->n_posted + BIRTHS_AT_ONCE < batch->n ? batch->n_posted + BIRTHS_AT_ONCE : batch->n;

	plan_destroy(&batch->births);
	batch->births = plan_create();
	for (size_t i = batch->n_posted; i < end; i++)
		TRY(birth_plan(r, batch->tasks[i], -1, batch->births, &batch->results[i]));
	TRY(remote_post(creator->leader->remote, batch->births));
	batch->n_posted = end;
	return 0;
}

/* Whatever comes next, those that exist must be known, to be killed if need be. */
static int end_births(struct restore *r, struct task *creator, struct birth_batch *batch, int64_t *results)
{
	if (batch->n_born == batch->n_posted)
		return 0;
	TRY(remote_wait(creator->leader->remote, &r->progress->deadline));
	for (; batch->n_born < batch->n_posted; batch->n_born++) {
		struct task *task = batch->tasks[batch->n_born];

		results[batch->n_born] = remote_value(creator->leader->remote, batch->results[batch->n_born]);
		if (results[batch->n_born] >= 0 && !r->facts->inner_pids)
			task->pid = task->vpid;
	}
	return 0;
}

static int meet_newborn(struct restore *r, struct task *task, int64_t result)
{
	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);

	if (result == -EEXIST)
		TRY(clone_again(r, task));
	else if (result < 0)
		return fail((int)-result, "making task %d", task->vpid);
	if (!r->facts->inner_pids)
		task->pid = task->vpid;
	return task_arrived(r, task);
}

/* The first plan of each: memory. */
static int settle_begin(struct restore *r, struct task *task, struct plan *plan)
{
	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	TRY(phase_restore_enter(r, task, plan));
	return remote_post(task->leader->remote, plan);
}

static int settle_end(struct restore *r, struct task *task)
{
	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	TRY(remote_wait(task->leader->remote, &r->progress->deadline));
	return phase_restore_content(r, task);
}

static int lead_session(struct restore *r, struct task *task)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();

	if (task->vsid != task->vpid)
		return 0;
	plan_syscall(plan, "lead a session", __NR_setsid);
	TRY(phase_restore_session(r, task, plan));
	return run_in_task(r, task, plan);
}

/* Last of all namespaces: whoever is in it can make nothing outside. */
static int enter_users(struct restore *r, struct task *task)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();

	TRY(namespaces_plan_users(r, task, plan));
	return run_in_task(r, task, plan);
}

static int make_children(struct restore *r, struct task *task);

static int settle_some(struct restore *r, struct birth_batch *batch, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		batch->plans[i] = plan_create();
		TRY(settle_begin(r, batch->tasks[i], batch->plans[i]));
	}
	for (size_t i = from; i < to; i++)
		TRY(settle_end(r, batch->tasks[i]));
	for (size_t i = from; i < to; i++)
		TRY(make_children(r, batch->tasks[i]));
	return 0;
}

static bool any_is_refused(const int64_t *results, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (results[i] < 0)
			return true;
	return false;
}

/* Those whose pid was in use are made by the creator, which must have nothing else to do then. */
static int make_in_turns(struct restore *r, struct task *creator, struct birth_batch *batch, int64_t *results)
{
	TRY(begin_births(r, creator, batch));
	for (size_t from = 0, to; from < batch->n; from = to) {
		bool is_refused;

		TRY(end_births(r, creator, batch, results));
		to = batch->n_born;
		is_refused = any_is_refused(results, from, to);
		if (!is_refused && to < batch->n)
			TRY(begin_births(r, creator, batch));
		for (size_t i = from; i < to; i++)
			TRY(meet_newborn(r, batch->tasks[i], results[i]));
		if (is_refused && to < batch->n)
			TRY(begin_births(r, creator, batch));
		TRY(settle_some(r, batch, from, to));
	}
	return 0;
}

static int make_siblings(struct restore *r, struct task *creator, struct birth_batch *batch)
{
	AUTO_FREE int64_t *results = xzalloc(batch->n * sizeof(*results));
	int error;

	for (size_t i = 0; i < batch->n; i++)
		if (next_pid_is_used(r, creator, batch->tasks[i])) {
			TRY(make_one_by_one(r, creator, batch));
			return settle_some(r, batch, 0, batch->n);
		}
	error = make_in_turns(r, creator, batch, results);
	if (error < 0)
		(void)end_births(r, creator, batch, results); /* the first failure is kept */
	return error;
}

/* Which children: those that are wanted before their creator leaves its first session, those that it makes before it
 * enters a user namespace, or all that are left. */
enum turn { TURN_EARLY, TURN_OUTSIDE, TURN_REST };

static bool is_in_turn(const struct task *child, enum turn turn)
{
	return turn == TURN_REST || (turn == TURN_EARLY ? child->restore->early : child->restore->outside);
}

/* The children of a task that this creator makes now. */
static int make_batch(struct restore *r, struct task *parent, struct task *creator, enum turn turn, bool *ret_any)
{
	AUTO(batch_done) struct birth_batch batch = { 0 };
	struct task *child;
	size_t capacity = 0;

	for_each_child(child, parent)
		capacity++;
	batch.tasks = xzalloc((capacity + 1) * sizeof(*batch.tasks));
	batch.plans = xzalloc((capacity + 1) * sizeof(*batch.plans));
	batch.results = xzalloc((capacity + 1) * sizeof(*batch.results));
	for_each_child(child, parent) {
		if (child->restore->made || child->restore->creator != creator || !is_in_turn(child, turn) ||
		    !birth_is_possible(child))
			continue;
		TRY(phase_pass_restore(r, PHASE_restore_fork, NULL, NULL));
		batch.tasks[batch.n++] = child;
	}
	*ret_any = batch.n > 0;
	if (!batch.n)
		return 0;
	return make_siblings(r, creator, &batch);
}

/* Where orphans go. The first process of a pid namespace need not ask for them. */
static int take_orphans(struct restore *r, struct task *task, bool yes)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();

	if (task_own_pid(task) == 1)
		return 0;
	plan_syscall(plan, "take orphans", __NR_prctl, V(PR_SET_CHILD_SUBREAPER), V(yes));
	return run_in_task(r, task, plan);
}

static int set_death_signal(struct restore *r, struct task *task, int signal)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	struct step *step;

	plan_syscall(plan, "die with the parent", __NR_prctl, V(PR_SET_PDEATHSIG), V(signal));
	step = plan_syscall(plan, "look for the parent", __NR_getppid);
	if (signal) {
		step->flags |= STEP_EXACT;
		step->arg[6] = task_pid_for(task->parent, task);
	}
	return run_in_task(r, task, plan);
}

static int bear_adopted(struct restore *r, struct task *task)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	struct task *creator = task->restore->creator;
	int64_t result;
	size_t at;

	if (next_pid_is_used(r, creator, task)) {
		TRY(next_pid_make(r, creator, task->leader));
	} else {
		TRY(restorer_plan_clone(plan, task->leader->remote, 0, SIGCHLD, &at));
		TRY(run_in_task(r, creator, plan));
		result = remote_value(creator->leader->remote, at);
		if (result < 0)
			return fail((int)-result, "making task %d", task->vpid);
	}
	if (!r->facts->inner_pids)
		task->pid = task->vpid;
	return restorer_wait_arrival(task->leader->remote, &r->progress->deadline);
}

/* Its creator, a helper in the wanted session, ends: so the task becomes a child of its parent. */
static int make_adopted(struct restore *r, struct task *task)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	struct task *creator = task->restore->creator;

	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	TRY(take_orphans(r, task->parent, true));
	TRY(bear_adopted(r, task));
	TRY(set_death_signal(r, task, 0));
	TRY(restore_end_task(r, creator));
	TRY(restore_reap_helper(r, creator));
	task_tree_remove(r->tree, creator);
	TRY(task_arrived(r, task));
	TRY(set_death_signal(r, task, SIGKILL));
	TRY(take_orphans(r, task->parent, false));
	TRY(settle_begin(r, task, plan));
	return settle_end(r, task);
}

static int make_by_others(struct restore *r, struct task *parent, struct task *child)
{
	bool any;

	if (child->restore->adopted)
		return make_adopted(r, child);
	return make_batch(r, parent, child->restore->creator, TURN_REST, &any);
}

/* Siblings' creators first. Who waits for a pid namespace is left for later. */
static int make_rest(struct restore *r, struct task *task)
{
	struct task *child;
	bool progress = true, waits = false;

	while (progress) {
		waits = false;
		TRY(make_batch(r, task, task, TURN_REST, &progress));
		for_each_child(child, task) {
			if (child->restore->made)
				continue;
			if (!child->restore->creator->restore->made || !birth_is_possible(child)) {
				waits = true;
				continue;
			}
			TRY(make_by_others(r, task, child));
			progress = true;
		}
	}
	if (waits && !r->tree->pid_spaces && !r->tree->n_joined)
		return refuse(EINVAL, "the children of this task wait for each other: such images cannot be right");
	return 0;
}

/* Those that need the first session of the parent, those that need more than its user namespace, then the rest. */
static int make_children(struct restore *r, struct task *task)
{
	bool any;

	TRY(make_batch(r, task, task, TURN_EARLY, &any));
	TRY(lead_session(r, task));
	TRY(make_batch(r, task, task, TURN_OUTSIDE, &any));
	if (task->parent)
		TRY(make_batch(r, task->parent, task, TURN_OUTSIDE, &any)); /* its siblings */
	TRY(enter_users(r, task));
	return make_rest(r, task);
}

static size_t count_missing(const struct restore *r)
{
	struct task *task;
	size_t n = 0;

	for_each_task(task, r->tree)
		n += !task->restore->made;
	return n;
}

/* A root and all that it makes. */
static int make_family(struct restore *r, struct task *root)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();

	LOG_SCOPE("task %d (%s)", root->vpid, root->comm);
	TRY(phase_pass_restore(r, PHASE_restore_fork, NULL, NULL));
	TRY(make_root(r, root));
	if (root->is_root) {
		TRY(plugins_check(r->plugins, plugins_ask(r->plugins, POST_FORKING)));
		TRY(birth_fill_namespaces(r));
	}
	TRY(settle_begin(r, root, plan));
	TRY(settle_end(r, root));
	return make_children(r, root);
}

static int make_joined(struct restore *r)
{
	struct task *task;

	for_each_task(task, r->tree)
		if (task->is_joined && !task->restore->made && birth_is_possible(task))
			TRY(make_family(r, task));
	return 0;
}

/* Who came into a pid namespace from outside is made when its first process is there, wherever that is in the tree. */
static int make_late(struct restore *r)
{
	size_t missing = count_missing(r), last = missing + 1;
	struct task *task;

	for (; missing && missing < last; missing = count_missing(r)) {
		last = missing;
		TRY(make_joined(r));
		for_each_task(task, r->tree) {
			LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
			if (task->restore->made)
				TRY(make_rest(r, task));
		}
	}
	return missing ? refuse(EOPNOTSUPP, "%zu tasks wait for a pid namespace that begins with none of the others",
				missing)
		       : 0;
}

static int make_tree(struct restore *r)
{
	TRY(make_family(r, r->tree->root));
	return make_late(r);
}

/* Whose child it will be. The first process of a pid namespace cannot see its parent: it looks for criu. */
static pid_t parent_of(const struct restore *r, const struct task *task)
{
	if (task->restore->adopted)
		return task_pid_for(task->restore->creator, task); /* until it ends: make_adopted() */
	if (task->parent)
		return task_pid_for(task->parent, task) ?: -r->us;
	if (r->facts->inner_pids || task->is_joined)
		return 0; /* it cannot see us: make_root() */
	return namespaces_root_parent(r);
}

int restore_tree(struct restore *r)
{
	struct task *task;

	TRY(phase_restore_make(r));
	TRY(restorer_arena_create(r->arena_start, r->parking - r->arena_start, &r->arena));
	for_each_task(task, r->tree)
		TRY(birth_prepare(r, task->leader, parent_of(r, task)));
	return make_tree(r);
}
