/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Restore into a user namespace that the user gives (--join-ns user). Its maps are what counts, not those of the
 * images. All that the tree has besides, and that is not given, shall belong to that namespace. So the root task makes
 * it when it is there. A pid namespace is made by a birth, so its first process is born by a helper that has gone in.
 */
#include "object/namespace/user-join.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/apart.h"
#include "base/auto.h"
#include "base/fail.h"
#include "lib/compel/restorer.h"
#include "object/namespace/broker.h"
#include "object/namespace/join.h"
#include "object/namespace/midwife.h"
#include "object/namespace/namespace.h"
#include "object/namespace/user.h"
#include "object/namespace/user-restore.h"
#include "plan/plan.h"
#include "session/ids.h"

static struct namespace *find_joined(const struct restore *r)
{
	struct namespace *ns;

	(void)namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWUSER, &ns);
	return ns && ns->joined ? ns : NULL;
}

bool user_is_joined(const struct restore *r)
{
	return find_joined(r);
}

/* --- load --- */

/* The kernel shows the maps of a process only: one of ours goes there for a moment. */
static int read_maps(const struct restore *r, struct namespace *ns, struct broker *broker)
{
	AUTO_FREE char *path = xprintf("/proc/%d", broker_pid(broker));
	UsernsEntry *entry = ns->data = pool_new(r->pool, UsernsEntry);
	AUTO_CLOSE int proc = -1;

	TRY(broker_enter(broker, ns->fd));
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return proc < 0 ? fail_errno("opening %s", path) : user_read_maps(r->pool, proc, entry);
}

static int check_id(const struct restore *r, const struct task *task, uint32_t outer, const char *what, uint32_t id)
{
	return outer != NO_ID ? 0
			      : refuse(EINVAL,
				       "--join-ns user: the %s %u of task %d (%s) has no number in the user namespace "
				       "that is given",
				       what, id, task->vpid, task->comm);
}

/* In there it can take no others. */
static int check_ids(const struct restore *r, const struct task *task, const CredsEntry *creds)
{
	const uint32_t users[] = { creds->uid, creds->euid, creds->suid, creds->fsuid },
		       groups[] = { creds->gid, creds->egid, creds->sgid, creds->fsgid };

	if (creds->n_outer_ids || creds->n_outer_groups)
		return refuse(EOPNOTSUPP,
			      "--join-ns user: task %d (%s) had ids that have no number in its own user namespace: it "
			      "cannot take them in another one",
			      task->vpid, task->comm);
	for (int i = 0; i < 4; i++) {
		TRY(check_id(r, task, restore_outer_uid(r, users[i]), "user", users[i]));
		TRY(check_id(r, task, restore_outer_gid(r, groups[i]), "group", groups[i]));
	}
	for (size_t i = 0; i < creds->n_groups; i++)
		TRY(check_id(r, task, restore_outer_gid(r, creds->groups[i]), "group", creds->groups[i]));
	return 0;
}

static int check_all_ids(const struct restore *r)
{
	struct thread *thread;
	struct task *task;

	for_each_task(task, r->tree)
		for_each_thread(thread, task)
			if (thread->core && thread->core->thread_core && thread->core->thread_core->creds)
				TRY(check_ids(r, task, thread->core->thread_core->creds));
	return 0;
}

/* Who the tasks are in there until they get their own ids. */
static int choose_ids(const struct restore *r, const struct opt_join_ns *option, struct id_maps *maps)
{
	maps->given = true;
	maps->chosen = option->has_ids;
	maps->uid = option->uid;
	maps->gid = option->gid;
	r->facts->ids = maps;
	if (option->has_ids &&
	    (restore_outer_uid(r, option->uid) == NO_ID || restore_outer_gid(r, option->gid) == NO_ID))
		return refuse(EINVAL, "--join-ns user:%s,%u,%u: the namespace has no such user or group", option->file,
			      option->uid, option->gid);
	return 0;
}

int user_join(const struct restore *r, struct namespace *ns)
{
	struct broker *broker = NULL;
	int error;

	if (geteuid() != 0)
		return refuse(EPERM, "--join-ns user: only root can restore a tree into a user namespace");
	error = broker_begin(r->pool, NULL, &broker);
	if (error == 0)
		error = read_maps(r, ns, broker);
	broker_end(&broker);
	TRY(error);
	TRY(choose_ids(r, ns->option, user_maps_of(r->pool, ns->data)));
	user_choose_groups(r, ns->data);
	return check_all_ids(r);
}

/* --- the birth --- */

void user_join_prepare(struct restore *r)
{
	if (!user_is_joined(r))
		return;
	r->birth_apart = r->birth_flags & CLONE_NEWPID;
	if (!r->birth_apart)
		r->birth_flags = 0; /* it makes them when it is there */
}

static bool is_given(const struct namespace *ns)
{
	return ns->of_root && !ns->own && ns->made_first && !ns->kind->made_inside && ns->kind->flag != CLONE_NEWUSER;
}

static void add_entry(const struct restore *r, struct birth_order *order, const struct namespace *ns)
{
	order->enter[order->n].fd = ns->fd;
	order->enter[order->n].flag = (int)ns->kind->flag;
	order->enter[order->n++].what = pool_printf(r->pool, "entering the given %s namespace", ns->kind->name);
}

/* The first process of a pid namespace is born by somebody who lives where it shall live: others go there by their
 * first steps. */
static void add_entries(struct restore *r, struct birth_order *order)
{
	struct namespace *ns;

	for_each_namespace(ns, restore_namespaces(r))
		if (is_given(ns) && (r->birth_apart || ns->kind->flag == CLONE_NEWPID))
			add_entry(r, order, ns);
	if (r->birth_apart)
		add_entry(r, order, find_joined(r));
}

static struct birth_order *make_order(struct restore *r, const struct root_birth *birth)
{
	const bool fixed = user_groups_are_fixed(r);
	const size_t n_groups = fixed ? r->facts->n_groups : 0;
	struct birth_order *order = pool_alloc(r->pool, birth_order_size(n_groups));

	order->birth = *birth->plain;
	order->uid = restore_task_uid(r);
	order->gid = restore_task_gid(r);
	order->makes_files = r->birth_apart;
	order->takes_groups = fixed;
	order->n_groups = n_groups;
	if (n_groups)
		memcpy(order->groups, user_outer_groups(r), n_groups * sizeof(*order->groups));
	add_entries(r, order);
	return order;
}

static int bear_inside(void *arg)
{
	int dumpable = prctl(PR_GET_DUMPABLE);

	birth_order_run(arg);
	/* What the kernel takes away: this memory is criu's. */
	prctl(PR_SET_DUMPABLE, dumpable == 1);
	return 0;
}

static int bear_root(struct restore *r, const struct root_birth *birth, const struct user_login *login)
{
	struct birth_order *order = make_order(r, birth);
	struct midwife *midwife = midwife_of(r);
	int error;

	order->takes_login = login->changed;
	if (midwife) {
		error = midwife_run(midwife, order);
	} else {
		error = apart_spawn(bear_inside, order);
		if (error == 0)
			error = birth_order_result(order);
	}
	birth->plain->pid = order->birth.pid;
	return error;
}

int user_join_birth(struct restore *r, const struct root_birth *birth)
{
	bool is_first = !r->tree->root->restore->made;
	struct user_login login;
	int result;

	user_login_take(r, &login);
	result = is_first && (r->birth_apart || midwife_of(r)) ? bear_root(r, birth, &login) : birth->boot(birth->arg);
	user_login_leave(&login);
	return result;
}

/* --- its first steps --- */

void user_plan_groups(const struct restore *r, struct plan *plan)
{
	uint32_t *outer;

	if (!user_is_joined(r) || !user_groups_are_fixed(r))
		return;
	outer = user_outer_groups(r);
	plan_syscall(plan, "take the groups that nobody can change in the user namespace", __NR_setgroups,
		     V(r->facts->n_groups),
		     r->facts->n_groups ? D(plan_data(plan, outer, r->facts->n_groups * sizeof(*outer))) : V(0));
}

int user_join_enter(struct restore *r)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	const struct namespace *users = find_joined(r);
	struct namespace *ns;
	uint32_t flags = 0;

	if (!users)
		return 0;
	if (r->birth_apart) { /* it is there */
		TRY(user_plan_root(r, plan));
		return remote_run(r->tree->root->leader->remote, plan, &r->progress->deadline);
	}
	for_each_namespace(ns, restore_namespaces(r)) {
		if (is_given(ns) && ns->kind->flag != CLONE_NEWPID)
			namespace_plan_join(ns, plan);
		else if (ns->of_root && !ns->own && !ns->made_first && ns->kind->flag != CLONE_NEWPID)
			flags |= ns->kind->flag;
	}
	user_plan_groups(r, plan);
	namespace_plan_join(users, plan);
	TRY(user_plan_root(r, plan));
	if (flags)
		plan_syscall(plan, "make the namespaces that are not given", __NR_unshare, V(flags));
	return remote_run(r->tree->root->leader->remote, plan, &r->progress->deadline);
}
