/* SPDX-License-Identifier: GPL-2.0-only */
/* The order of forks. */
#include "flow/ancestry.h"

#include <errno.h>
#include <stdio.h>

#include "base/fail.h"
#include "base/log.h"

static bool leads_session(const struct task *task)
{
	return task->vsid == task->vpid;
}

/*
 * Whether a leader of a session can be born into this other one: its creator is in it, or leads a session of its own
 * only later. Decides that it is made that early.
 */
static bool is_born_into(struct task *task, pid_t session)
{
	struct task *creator = task->restore->creator;

	if (!creator || creator->vsid == session)
		return creator && !task->restore->early;
	if (!leads_session(creator) || !is_born_into(creator, session))
		return false;
	task->restore->early = true;
	return true;
}

/* A helper is a live task without images; it has just a place in the tree, a pid and a session or a group. */
static struct task *add_helper(struct restore *r, struct task *parent, pid_t pid, pid_t sid, pid_t pgid)
{
	struct task *helper = task_tree_add(r->tree, parent, pid);

	log_info("Session or group %d has lost its leader: a helper takes its place", pid);
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

/* A sibling that is in the session (or leads it) and does not itself wait for this task. */
static struct task *find_sibling(struct task *task)
{
	struct task *sibling, *member = NULL;

	for_each_child(sibling, task->parent) {
		if (sibling == task || sibling->vsid != task->vsid || sibling->state == TASK_DEAD)
			continue;
		if (leads_session(sibling))
			return sibling;
		if (!member && sibling->restore->creator == task->parent)
			member = sibling;
	}
	return member;
}

static int find_creator(struct restore *r, struct task *task)
{
	struct task *parent = task->parent, *sibling;

	if (!parent) /* the root: made by criu */
		return 0;
	task->restore->creator = parent;
	if (leads_session(task) || task->vsid == parent->vsid)
		return 0;
	if (leads_session(parent) && is_born_into(parent, task->vsid)) {
		task->restore->early = true;
		return 0;
	}
	sibling = find_sibling(task);
	if (!sibling && !task->vsid)
		return refuse(
			EOPNOTSUPP,
			"task %d (%s): its session is led from outside of its pid namespace: that can't be rebuilt yet",
			task->vpid, task->comm);
	if (!sibling && !task_tree_find(r->tree, task->vsid))
		sibling = add_helper(r, parent, task->vsid, task->vsid, task->vsid);
	if (!sibling)
		return refuse(EOPNOTSUPP,
			      "task %d (%s): its session %d is led by a task that is not its sibling or ancestor: this "
			      "family cannot be rebuilt yet",
			      task->vpid, task->comm, task->vsid);
	task->restore->creator = sibling;
	task->restore->by_sibling = true;
	return 0;
}

/* A child of the task, which is in the same session; of a zombie, which cannot wait for it, a twin. */
static void add_group_leader(struct restore *r, struct task *task)
{
	bool zombie = task->state == TASK_DEAD;
	struct task *helper = add_helper(r, zombie ? task->parent : task, task->vpgid, task->vsid, task->vpgid);

	if (!zombie)
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
			"task %d (%s): its group is led from outside of its pid namespace: that can't be rebuilt yet",
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

int ancestry_plan(struct restore *r)
{
	struct task *task;

	/* Helpers join the list while we walk it; they are complete already. */
	for_each_task(task, r->tree)
		if (task->state != TASK_HELPER)
			TRY(find_creator(r, task));
	for_each_task(task, r->tree) {
		if (task->state == TASK_HELPER)
			continue;
		TRY(find_group(r, task));
		if (task_is_live(task))
			TRY(check_sharing(r, task));
	}
	return 0;
}
