/* SPDX-License-Identifier: GPL-2.0-only */
/* The order of forks. */
#include "flow/restore/ancestry.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "object/namespace/namespace.h"
#include "session/survey.h"
#include "task/pid-space.h"

static bool leads_session(const struct task *task)
{
	return task->vsid == task->vpid;
}

/* Who is made by whom is known, up to the root. */
static bool is_resolved(const struct task *task)
{
	for (; task->parent; task = task->parent)
		if (!task->restore->creator)
			return false;
	return true;
}

static bool is_below(const struct task *task, const struct task *ancestor)
{
	while (task && task != ancestor)
		task = task->parent;
	return task;
}

/* Whether the task can be made only when the other one has been. */
static bool depends_on(const struct task *task, const struct task *other, unsigned depth)
{
	for (; task; task = task->parent) {
		const struct task *creator = task->restore->creator;

		if (task == other || depth == 0)
			return true;
		if (creator && creator != task->parent && depends_on(creator, other, depth - 1))
			return true;
	}
	return false;
}

#define DEPTH_MAX 16 /* deeper ones are taken for dependent */

/*
 * A leader that is gone lived in the pid namespace of this member of its session or group, or in one around that: where
 * it still has a number.
 */
static struct pid_space *space_of_leader(const struct task *member, const pid_t *inner)
{
	struct pid_space *space = member->pid_space;

	while (space && !inner[space->depth - 1])
		space = space->parent;
	return space;
}

/* Helpers of our own choice have the same number on all levels: is_taken(). */
static void set_inner(struct restore *r, struct task *helper)
{
	struct pid_space *space = helper->parent->pid_space;

	helper->pid_space = helper->children_space = space;
	if (!space)
		return;
	helper->leader->inner_tids = pool_array(r->pool, pid_t, space->depth);
	for (unsigned i = 0; i < space->depth; i++)
		helper->leader->inner_tids[i] = helper->vpid;
}

/* A helper is a live task without images; it has just a place in the tree, a pid and a session or a group. */
static struct task *add_helper(struct restore *r, struct task *parent, pid_t pid, pid_t sid, pid_t pgid)
{
	struct task *helper = task_tree_add(r->tree, parent, pid);

	set_inner(r, helper);
	helper->state = TASK_HELPER;
	helper->vsid = sid;
	helper->vpgid = pgid;
	snprintf(helper->comm, sizeof(helper->comm), "criu-helper");
	helper->leader->restore = pool_new(r->pool, struct thread_restore);
	helper->restore = pool_new(r->pool, struct task_restore);
	helper->restore->proc = helper->restore->pidfd = helper->restore->coordinator_fd = -1;
	helper->restore->creator = parent;
	return helper;
}

/* inner: its numbers, as a member knows them. */
static struct task *add_leader(struct restore *r, struct task *parent, pid_t pid, pid_t pgid, const struct task *member,
			       pid_t *inner)
{
	struct task *leader = add_helper(r, parent, pid, member->vsid, pgid);

	log_info("Session or group %d has lost its leader: a helper takes its place", pid);
	leader->pid_space = leader->children_space = space_of_leader(member, inner);
	leader->leader->inner_tids = inner;
	return leader;
}

static bool is_taken_inside(const struct task *task, pid_t pid)
{
	unsigned depth = task->pid_space ? task->pid_space->depth : 0;
	const struct thread *thread;

	for (unsigned i = 0; i < depth; i++) {
		if (task->state != TASK_HELPER && (task->inner_sids[i] == pid || task->inner_pgids[i] == pid))
			return true;
		for_each_thread(thread, task)
			if (thread->inner_tids[i] == pid)
				return true;
	}
	return false;
}

static bool is_taken(const struct restore *r, pid_t pid)
{
	const struct task *task;

	for_each_task(task, r->tree)
		if (task->vsid == pid || task->vpgid == pid || is_taken_inside(task, pid))
			return true;
	return task_tree_find_thread(r->tree, pid) ||
	       (!r->facts->inner_pids && (kill(pid, 0) == 0 || kill(-pid, 0) == 0));
}

#define PID_HIGH 32767 /* every kernel has that many unless somebody has made them fewer */
#define PID_LOW	 300

/* A number that nobody has; below another one, if it is not 0. Other restores look elsewhere. */
static pid_t find_free_pid(const struct restore *r, pid_t below)
{
	char text[32];
	pid_t pid = PID_HIGH, max;

	if (file_read_text(AT_FDCWD, "/proc/sys/kernel/pid_max", text, sizeof(text)) > 0 && (max = atoi(text)) > 0 &&
	    max <= pid)
		pid = max - 1;
	pid = below ? below - 1 : pid - getpid() * 4 % (pid / 2);
	while (pid > PID_LOW && is_taken(r, pid))
		pid--;
	return pid > PID_LOW ? pid : 0;
}

/* By CLONE_PARENT. The kernel lets no first process of a pid namespace do that. */
static bool may_make_sibling(const struct task *task, const struct task *sibling)
{
	const struct pid_space *space = sibling->pid_space;

	return !space || (pid_space_is_within(task->pid_space, space) && space->first != sibling);
}

/* A sibling that is in the session (or leads it) and does not itself wait for this task. */
static struct task *find_sibling(struct task *task, pid_t session)
{
	struct task *sibling, *member = NULL;

	for_each_child(sibling, task->parent) {
		if (sibling == task || sibling->vsid != session || sibling->state == TASK_DEAD ||
		    !is_resolved(sibling) || !may_make_sibling(task, sibling) || depends_on(sibling, task, DEPTH_MAX))
			continue;
		if (leads_session(sibling))
			return sibling;
		if (!member && (sibling->restore->creator == task->parent || sibling->restore->adopted))
			member = sibling;
	}
	return member;
}

/* The first process of a pid namespace also has those of further roots. */
static bool gets_orphans_of(const struct task *task, const struct task *other)
{
	return is_below(other, task) || (task_own_pid(task) == 1 && task_top(other)->is_joined);
}

/* A member of the session anywhere below the parent, its leader if possible. */
static struct task *find_relative(const struct restore *r, const struct task *task, pid_t session)
{
	struct task *other, *member = NULL;

	for_each_task(other, r->tree) {
		if (other->vsid != session || other == task->parent || other->pid_space != task->parent->pid_space ||
		    !gets_orphans_of(task->parent, other) || is_below(other, task) || !is_resolved(other) ||
		    depends_on(other, task, DEPTH_MAX))
			continue;
		if (leads_session(other))
			return other;
		if (!member)
			member = other;
	}
	return member;
}

/*
 * Orphans go to the first process of their namespace, or to a subreaper. So a far relative forks a helper, which forks
 * another one and ends: that one has become a child of the parent, and is in the session. All of them live in one pid
 * namespace: orphans do not leave theirs.
 */
static struct task *adopt_helper(struct restore *r, struct task *parent, struct task *relative)
{
	pid_t pid = find_free_pid(r, 0);
	struct task *forker = pid ? add_helper(r, relative, pid, relative->vsid, relative->vsid) : NULL, *adopted;

	pid = forker ? find_free_pid(r, pid) : 0;
	if (!pid)
		return NULL;
	log_info("Session %d has members below task %d that it cannot make: helper %d becomes its child",
		 relative->vsid, parent->vpid, pid);
	adopted = add_helper(r, parent, pid, relative->vsid, relative->vsid);
	adopted->restore->creator = forker;
	adopted->restore->adopted = true;
	return adopted;
}

static void set_creator(struct task *task, struct task *creator, bool early)
{
	task->restore->creator = creator;
	task->restore->by_sibling = creator != task->parent;
	task->restore->early = early;
}

/*
 * Whether a leader of a session can be born into this other one: its creator is in it, or leads a session of its own
 * only later. Decides that it is made that early.
 */
static bool is_born_into(struct task *task, pid_t session)
{
	struct task *creator = task->restore->creator;

	if (!creator)
		return false;
	if (creator->vsid == session)
		return !task->restore->early;
	if (task->restore->by_sibling || !leads_session(creator) || !is_born_into(creator, session))
		return false;
	task->restore->early = true;
	return true;
}

static bool has_early_child(const struct task *task)
{
	const struct task *child;

	for_each_child(child, task)
		if (child->restore->early)
			return true;
	return false;
}

/* Somebody else who is in the session makes it. */
static bool find_other_creator(struct restore *r, struct task *task, pid_t session)
{
	struct task *creator = find_sibling(task, session), *relative;

	if (!creator && (relative = find_relative(r, task, session)))
		creator = adopt_helper(r, task->parent, relative);
	if (!creator)
		return false;
	set_creator(task, creator, false);
	return true;
}

/* The task is to be born into the session, which is that of its own, or, if it leads one, that of its children. */
static bool find_creator(struct restore *r, struct task *task, pid_t session)
{
	struct task *parent = task->parent;

	if (leads_session(parent) && is_born_into(parent, session)) {
		set_creator(task, parent, true);
		return true;
	}
	return find_other_creator(r, task, session);
}

/* A leader is born into this session by the hand of another, or because that goes for its parent. */
static bool change_birth(struct restore *r, struct task *task, pid_t session)
{
	struct task *parent = task->parent;

	if (!parent || !leads_session(task) || has_early_child(task) || !is_resolved(task) ||
	    task->restore->creator != parent)
		return false;
	if (find_other_creator(r, task, session))
		return true;
	if (!change_birth(r, parent, session))
		return false;
	task->restore->early = true;
	return true;
}

static bool find_birth_of_parent(struct restore *r, struct task *task)
{
	if (!change_birth(r, task->parent, task->vsid))
		return false;
	set_creator(task, task->parent, true);
	return true;
}

/* Its leader is dead: a helper, below the parent that is farthest down. The session of the terminal that criu is
 * started from cannot be made. */
static bool make_leader(struct restore *r, const struct task *wanted)
{
	struct task *task, *parent = wanted->parent;

	if (wanted->vsid == r->tree->root->vsid || task_tree_find(r->tree, wanted->vsid))
		return false;
	for_each_task(task, r->tree)
		if (task->parent && !task->restore->creator && task->vsid == wanted->vsid &&
		    is_below(task->parent, parent))
			parent = task->parent;
	return is_resolved(parent) && add_leader(r, parent, wanted->vsid, wanted->vsid, wanted, wanted->inner_sids);
}

static int refuse_family(const struct task *task)
{
	if (!task->vsid)
		return refuse(EOPNOTSUPP,
			      "task %d (%s): its session is led from outside of its pid namespace: start it by "
			      "setsid(1), or take the leader of the session into the tree (--tree)",
			      task->vpid, task->comm);
	return refuse(EOPNOTSUPP,
		      "task %d (%s): its session %d is led by a task that could not have made it: this family cannot "
		      "be rebuilt yet",
		      task->vpid, task->comm, task->vsid);
}

/* By the parent itself: most. */
static void find_simple_creators(struct restore *r)
{
	struct task *task;

	for_each_task(task, r->tree)
		if (task->parent && (leads_session(task) || task->vsid == task->parent->vsid))
			task->restore->creator = task->parent;
}

enum attempt { BY_OTHERS, BY_NEW_LEADER, BY_BIRTH_OF_PARENT, ATTEMPTS };

static bool try_task(struct restore *r, struct task *task, enum attempt attempt)
{
	if (!is_resolved(task->parent))
		return false;
	if (attempt == BY_NEW_LEADER)
		return make_leader(r, task);
	if (attempt == BY_BIRTH_OF_PARENT)
		return find_birth_of_parent(r, task);
	return find_creator(r, task, task->vsid);
}

/* One helper may be of use to many: after it the simpler ways are tried again. */
static bool try_all(struct restore *r, enum attempt attempt)
{
	struct task *task;
	bool any = false;

	for_each_task(task, r->tree) {
		if (!task->parent || task->restore->creator || !task->vsid || !try_task(r, task, attempt))
			continue;
		any = true;
		if (attempt != BY_OTHERS)
			break;
	}
	return any;
}

static int find_creators(struct restore *r)
{
	struct task *task;
	int attempt = BY_OTHERS;

	find_simple_creators(r);
	for_each_task(task, r->tree)
		if (task->is_joined && !leads_session(task))
			TRY(restore_go_on(r, refuse_family(task)));
	while (attempt < ATTEMPTS)
		attempt = try_all(r, (enum attempt)attempt) ? BY_OTHERS : attempt + 1;
	for_each_task(task, r->tree) {
		if (!task->parent || task->restore->creator)
			continue;
		TRY(restore_go_on(r, refuse_family(task)));
		set_creator(task, task->parent, false); /* criu verify goes on */
	}
	return 0;
}

/* A child of the task, which is in the same session; of a zombie, which cannot wait for it, or where the leader lived
 * further out, a twin. */
static void add_group_leader(struct restore *r, struct task *task)
{
	const struct pid_space *space = space_of_leader(task, task->inner_pgids);
	bool twin = task->state == TASK_DEAD || !pid_space_is_within(space, task->pid_space);
	struct task *helper =
		add_leader(r, twin ? task->parent : task, task->vpgid, task->vpgid, task, task->inner_pgids);

	if (!twin)
		return;
	helper->restore->creator = task->restore->creator;
	helper->restore->by_sibling = task->restore->by_sibling;
	helper->restore->early = task->restore->early;
}

/* A group needs its leader's pid to exist while the others join it. */
static int find_group(struct restore *r, struct task *task)
{
	struct task *root = r->tree->root;

	if (task->vpgid == task->vpid || task_tree_find(r->tree, task->vpgid))
		return 0;
	/* The group of the shell that started the root: taken over from criu. */
	if (task->vpgid == root->vpgid && task->vsid == root->vsid)
		return 0;
	if (leads_session(task))
		return refuse(EINVAL, "task %d leads a session but not its own group: such images cannot be right",
			      task->vpid);
	if (!task->vpgid)
		return refuse(
			EOPNOTSUPP,
			"task %d (%s): its group is led from outside of its pid namespace: that cannot be rebuilt yet",
			task->vpid, task->comm);
	add_group_leader(r, task);
	return 0;
}

/* Tasks that share memory, descriptors or the like must be made by one that has them. */
static int check_sharing(struct restore *r, struct task *task)
{
	struct task *owner = task->restore->memory_from;

	if (!owner || owner == task->restore->creator)
		return 0;
	if (owner->parent == task->parent && owner->vsid == task->vsid) {
		task->restore->creator = owner;
		task->restore->by_sibling = true;
		return 0;
	}
	return refuse(EOPNOTSUPP,
		      "task %d (%s) shares its memory with task %d, which is neither its parent nor its sibling: this "
		      "cannot be "
		      "rebuilt yet",
		      task->vpid, task->comm, owner->vpid);
}

/*
 * Who makes a pid namespace that belongs to another user namespace than it lives in itself: a helper enters that one,
 * and makes the first process as its sibling.
 */
static int add_visitor(struct restore *r, struct task *task, const struct namespace *users)
{
	const struct task *creator = task->restore->creator;
	pid_t pid = find_free_pid(r, 0);
	struct task *visitor;

	if (!pid)
		return refuse(EAGAIN, "there is no free pid for a helper");
	/* No group to join: it stays in that of its creator. */
	visitor = add_helper(r, task->parent, pid, creator->vsid, 0);
	visitor->restore->creator = task->restore->creator;
	visitor->restore->by_sibling = task->restore->by_sibling;
	visitor->restore->early = task->restore->early;
	visitor->restore->visits_for = task;
	visitor->restore->inner_users = true;
	while (creator && !creator->ids)
		creator = creator->restore->creator;
	visitor->ids = pool_new(r->pool, TaskKobjIdsEntry);
	*visitor->ids = creator ? *creator->ids : *task->ids;
	visitor->ids->vm_id = visitor->ids->files_id = visitor->ids->fs_id = visitor->ids->sighand_id = 0;
	visitor->ids->has_user_ns_id = true;
	visitor->ids->user_ns_id = users->id;
	set_creator(task, visitor, false);
	return 0;
}

static int add_visitors(struct restore *r)
{
	const struct namespace *users;
	struct pid_space *space;

	for_each_pid_space(space, r->tree)
	{
		const struct task *creator = space->first ? space->first->restore->creator : NULL;

		users = pid_space_owner(r, space);
		while (creator && !creator->ids)
			creator = creator->restore->creator;
		/* Its creator is in there when it makes its last children, if it lives there. */
		if (users && creator &&
		    (creator->ids->user_ns_id != users->id || space->first->restore->early ||
		     namespaces_want_outside(r, space->first, creator)))
			TRY(add_visitor(r, space->first, users));
	}
	return 0;
}

/* Made before its creator enters a user namespace; so the creator must not be born into that. */
static void set_outside(const struct restore *r, struct task *task)
{
	struct task *creator = task->restore->creator;

	while (creator && !task->restore->outside) {
		task->restore->outside = true;
		task = creator;
		creator = task->restore->creator;
		if (!creator || creator->restore->visits_for || !namespaces_is_inside(r, creator))
			return;
	}
}

static void find_outside(struct restore *r)
{
	struct task *task;

	for_each_task(task, r->tree)
		if (task->restore->creator && namespaces_want_outside(r, task, task->restore->creator))
			set_outside(r, task);
}

int ancestry_plan(struct restore *r)
{
	struct task *task;

	TRY(find_creators(r));
	/* Helpers join the list while we walk it; they are complete already. */
	for_each_task(task, r->tree) {
		if (task->state == TASK_HELPER)
			continue;
		TRY(restore_go_on(r, find_group(r, task)));
		if (task_is_live(task))
			TRY(restore_go_on(r, check_sharing(r, task)));
	}
	if (!r->facts->inner_users)
		return 0;
	TRY(restore_go_on(r, add_visitors(r)));
	find_outside(r);
	return 0;
}
