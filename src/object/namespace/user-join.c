/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Restore into a user namespace that the user gives (--join-ns user). Its maps are what counts, not those of the
 * images. All that the tree has besides, and that is not given, shall belong to that namespace. So the root task makes
 * it when it is there. A pid namespace is made by a birth, so its first process is born by a helper that has gone in.
 */
#include "object/namespace/user-join.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/apart.h"
#include "base/auto.h"
#include "base/fail.h"
#include "lib/compel/restorer.h"
#include "object/namespace/broker.h"
#include "object/namespace/join.h"
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
	struct namespace *pids;
	int error;

	if (geteuid() != 0)
		return refuse(EPERM, "--join-ns user: only root can restore a tree into a user namespace");
	if (r->options->restore_sibling && namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWPID, &pids) &&
	    pids->task == r->tree->root)
		return refuse(EOPNOTSUPP,
			      "--join-ns user: a tree with a pid namespace of its own is made there as a child of criu "
			      "only: leave out --restore-sibling");
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

/* The first process of a pid namespace is born by a helper of ours that lives where it shall live. */
static bool is_born_inside(const struct restore *r)
{
	return r->birth_apart && !r->tree->root->restore->made;
}

struct inside_birth {
	struct restore *r;
	int (*boot)(void *arg);
	void *arg;
	int result;
};

static int enter_one(const struct namespace *ns)
{
	return setns(ns->fd, (int)ns->kind->flag) < 0 ? fail_errno("entering the given %s namespace", ns->kind->name)
						      : 0;
}

static bool is_given(const struct namespace *ns)
{
	return ns->of_root && !ns->own && ns->made_first && !ns->kind->made_inside && ns->kind->flag != CLONE_NEWUSER;
}

static int go_inside(const struct restore *r)
{
	const struct id_maps *ids = r->facts->ids;
	uint32_t uid = restore_task_uid(r), gid = restore_task_gid(r);
	struct namespace *ns;

	for_each_namespace(ns, restore_namespaces(r))
		if (is_given(ns))
			TRY(enter_one(ns));
	if (user_groups_are_fixed(r))
		TRY(user_take_groups(r));
	TRY(enter_one(find_joined(r)));
	if (!user_groups_are_fixed(r) && syscall(SYS_setgroups, 0, NULL) < 0)
		return fail_errno("having no groups in the user namespace");
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0 ||
	    (ids->groups.n && syscall(SYS_setresgid, gid, gid, gid) < 0) ||
	    (ids->users.n && syscall(SYS_setresuid, uid, uid, uid) < 0) || prctl(PR_SET_SECUREBITS, 0) < 0)
		return fail_errno("becoming user %u and group %u of the user namespace", uid, gid);
	return 0;
}

static int bear_inside(void *arg)
{
	struct inside_birth *birth = arg;
	int dumpable = prctl(PR_GET_DUMPABLE);

	birth->result = go_inside(birth->r);
	/* What the kernel takes away: this memory is criu's. */
	prctl(PR_SET_DUMPABLE, dumpable == 1);
	if (birth->result == 0)
		birth->result = birth->boot(birth->arg);
	return 0;
}

int user_join_birth(struct restore *r, int (*boot)(void *arg), void *arg)
{
	struct inside_birth birth = { r, boot, arg, -EIO };
	struct user_login login;

	user_login_take(r, &login);
	if (is_born_inside(r))
		birth.result = apart_spawn(bear_inside, &birth) ?: birth.result;
	else
		birth.result = boot(arg);
	user_login_leave(&login);
	return birth.result;
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

	if (!users || r->birth_apart)
		return 0;
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
