/* SPDX-License-Identifier: GPL-2.0-only */
/* The namespaces of a restore: which there are, who is born into which, who enters which. */
#include "object/namespace/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "engine/engine.h"
#include "image/inventory.h"
#include "lib/compel/restorer.h"
#include "object/namespace/broker.h"
#include "object/namespace/join.h"
#include "object/namespace/kept.h"
#include "object/namespace/namespace.h"
#include "object/namespace/pid.h"
#include "object/namespace/user-inner.h"
#include "object/namespace/user-join.h"
#include "object/namespace/user-restore.h"
#include "object/namespace/user.h"
#include "plan/plan.h"
#include "session/survey.h"

#define SLOT_US 1
#define SLOT_FD 2

static uint32_t get_id(const TaskKobjIdsEntry *ids, const struct namespace_kind *kind)
{
	if (!ids || !*(const protobuf_c_boolean *)((const char *)ids + kind->has_id))
		return 0;
	return *(const uint32_t *)((const char *)ids + kind->id);
}

static int check_namespace(const struct restore *r, const struct namespace *ns)
{
	if (!ns->kind->dump)
		return refuse(
			EOPNOTSUPP,
			"task %d lived in another %s namespace than the criu that dumped it: namespaces of this kind "
			"cannot be restored yet",
			ns->task->vpid, ns->kind->name);
	if (!ns->of_root && (!ns->kind->nested || (ns->own && ns->kind->flag == CLONE_NEWUSER)))
		return refuse(
			EOPNOTSUPP,
			"task %d lived in another %s namespace than the root of the tree: that cannot be restored yet",
			ns->task->vpid, ns->kind->name);
	return 0;
}

static int add_namespace(const struct restore *r, struct task *task, const struct namespace_kind *kind)
{
	uint32_t id = get_id(task->ids, kind);
	struct namespace *ns = namespace_of(restore_namespaces(r), task, kind);

	if (!id || ns)
		return 0;
	ns = pool_new(r->pool, struct namespace);
	ns->kind = kind;
	ns->id = id;
	/* Older images say nothing of criu itself: there was nothing but the host's then. */
	ns->own = !r->inventory->root_ids || get_id(r->inventory->root_ids, kind) == id;
	ns->of_root = task == r->tree->root;
	ns->task = task;
	ns->fd = -1;
	*vector_push(&restore_namespaces(r)->list) = ns;
	if (ns->own && (ns->of_root || !namespace_of_root(restore_namespaces(r), r->tree, kind->flag, NULL)))
		return 0;
	restore_namespaces(r)->any = true;
	restore_namespaces(r)->announced |= !kind->implied;
	return check_namespace(r, ns);
}

/* User namespaces in which no task lives. */
static int add_empty(const struct restore *r, uint32_t id)
{
	struct namespace *ns;

	for_each_namespace(ns, restore_namespaces(r))
		if (ns->id == id)
			return refuse(EINVAL, "user namespace %u is told twice: the images are damaged", id);
	ns = pool_new(r->pool, struct namespace);
	ns->kind = namespace_kind_find(CLONE_NEWUSER);
	ns->id = id;
	ns->fd = -1;
	*vector_push(&restore_namespaces(r)->list) = ns;
	return 0;
}

static int adopt_namespace(const struct restore *r, struct namespace *ns)
{
	int adopted;

	if (!ns->own || !ns->of_root || !ns->kind->adopt)
		return 0;
	adopted = ns->kind->adopt(r, ns);
	TRY(adopted);
	ns->own = !adopted;
	restore_namespaces(r)->adopted |= adopted;
	return adopted;
}

int namespaces_restore_load(const struct restore *r)
{
	struct namespace *ns;
	struct task *task;
	int error = 0;

	state_make(r->states, &namespace_state);
	for_each_task(task, r->tree)
		for (const struct namespace_kind *const *kind = namespace_kinds; *kind; kind++)
			error = add_namespace(r, task, *kind) ?: error;
	TRY(error); /* all that is in the way is told */
	for (size_t i = 0; i < r->inventory->n_user_ns_ids; i++)
		TRY(add_empty(r, r->inventory->user_ns_ids[i]));
	TRY(namespaces_restore_kept(r));
	TRY(namespaces_join_given(r));
	for_each_namespace(ns, restore_namespaces(r)) {
		LOG_SCOPE("%s namespace %u", ns->kind->name, ns->id);
		int adopted = adopt_namespace(r, ns);

		TRY(restore_go_on(r, adopted));
		if (ns->joined && ns->kind->join)
			TRY(restore_go_on(r, ns->kind->join(r, ns)));
		else if (!adopted && !ns->own && !ns->joined && ns->kind->load)
			TRY(restore_go_on(r, ns->kind->load(r, ns)));
	}
	TRY(user_check_nesting(r));
	r->facts->own_ipc = namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWIPC, NULL);
	r->facts->own_network = namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWNET, NULL);
	r->facts->announced = restore_namespaces(r)->announced;
	return 0;
}

/* It is criu's own, or as it is. */
static bool has_no_phases(const struct namespace *ns)
{
	return ns->own || (ns->joined && !ns->kind->join);
}

/* One phase of all that are not criu's own, the kinds in the order of their list. */
#define FOR_KINDS(r, phase)                                                                              \
	for (const struct namespace_kind *const *kind = namespace_kinds; *kind; kind++) {                \
		struct namespace *ns;                                                                    \
                                                                                                         \
		if (!(*kind)->phase)                                                                     \
			continue;                                                                        \
		for_each_namespace(ns, restore_namespaces(r)) {                                          \
			if (has_no_phases(ns) || ns->kind != *kind)                                      \
				continue;                                                                \
			LOG_SCOPE("%s namespace %u", ns->kind->name, ns->id);                            \
			TRY(phase_pass_restore((r), PHASE_restore_##phase, "namespace", (*kind)->name)); \
			TRY(restore_go_on((r), (*kind)->phase((r), ns)));                                \
		}                                                                                        \
	}                                                                                                \
	return 0

int namespaces_restore_copies(const struct restore *r)
{
	if (r->options->copy_env && namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWNS, NULL))
		return restore_go_on(
			r, refuse(EOPNOTSUPP, "--copy-env: the tree has a mount namespace of its own, in which nothing "
					      "would be seen of that file; criu-tell.h tells programs who they are"));
	return 0;
}

int namespaces_restore_needs(const struct restore *r)
{
	namespaces_need_kept(r);
	FOR_KINDS(r, needs);
}

static int make_some(struct restore *r, bool inside)
{
	struct namespace *ns;

	for_each_namespace(ns, restore_namespaces(r)) {
		if (ns->own || ns->joined || !ns->kind->make || ns->kind->made_inside != inside || ns->owner)
			continue; /* what belongs to an inner user namespace waits for that */
		LOG_SCOPE("%s namespace %u", ns->kind->name, ns->id);
		TRY(ns->kind->make(r, ns));
	}
	return 0;
}

/* Those that a user namespace shall own are made in there, when it exists. */
int namespaces_restore_make(struct restore *r)
{
	struct namespace *ns;

	if (!restore_namespaces(r)->any && !restore_namespaces(r)->adopted)
		return 0;
	TRY(namespaces_open_kept(r));
	TRY(make_some(r, false));
	if (!r->facts->ids)
		TRY(make_some(r, true));
	else
		TRY(user_make(r));
	for_each_namespace(ns, restore_namespaces(r)) {
		if (!ns->of_root || ns->own)
			continue;
		ns->made_first = ns->fd >= 0 || ns->kind->made_inside;
		if (!ns->made_first)
			r->birth_flags |= ns->kind->flag;
	}
	user_join_prepare(r);
	return 0;
}

/*
 * A further root is made by criu, with a copy of its descriptors, when all namespaces of the first root are there.
 * Those that are given do not belong to the user namespace, from which they could not be entered; that goes before all
 * that do. Nobody enters a pid namespace: it was born there.
 */
static int plan_joined(const struct restore *r, struct plan *plan)
{
	enum { GIVEN, USER, REST, TURNS };
	struct namespace *ns;

	for (int turn = GIVEN; turn < TURNS; turn++)
		for_each_namespace(ns, restore_namespaces(r)) {
			bool given = ns->made_first && !ns->kind->made_inside;
			int its = ns->kind->flag == CLONE_NEWUSER ? USER : given ? GIVEN : REST;

			if (!ns->of_root || ns->own || ns->kind->flag == CLONE_NEWPID || its != turn)
				continue;
			if (turn == USER)
				user_plan_groups(r, plan);
			namespace_plan_join(ns, plan);
		}
	return 0;
}

int namespaces_plan_root(struct restore *r, struct task *root, struct plan *plan)
{
	struct namespace *ns;

	if (root->is_joined)
		return plan_joined(r, plan);

	/* With a user namespace of its own it was born into those that are there. */
	for_each_namespace(ns, restore_namespaces(r)) {
		if (r->facts->ids || !ns->of_root || ns->own || !ns->made_first)
			continue;
		namespace_plan_join(ns, plan);
	}
	return 0;
}

/* What its user namespace owns was made after it had its copy of our descriptors: the broker has it. */
int namespaces_plan_inside(struct restore *r, struct task *root, struct plan *plan)
{
	struct namespace *ns;

	if (!r->facts->ids)
		return 0;
	if (root->is_joined || !user_is_joined(r))
		TRY(user_plan_root(r, plan));
	if (root->is_joined)
		return 0; /* plan_joined() */
	for_each_namespace(ns, restore_namespaces(r)) {
		const char *why = plan_why(plan, "enter %s namespace %u", ns->kind->name, ns->id);

		if (!ns->of_root || ns->own || !ns->kind->made_inside)
			continue;
		plan_syscall(plan, why, __NR_pidfd_getfd, V(r->stand_in), V(ns->fd), V(0))->to_slot = SLOT_FD;
		plan_syscall(plan, why, __NR_setns, S(SLOT_FD), V(ns->kind->flag));
	}
	return 0;
}

static int open_of(int proc, struct namespace *ns)
{
	char path[32];

	snprintf(path, sizeof(path), "ns/%s", ns->kind->name);
	ns->fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	return ns->fd < 0 ? fail_errno("opening the %s namespace of the root task", ns->kind->name) : 0;
}

static int run_births(struct restore *r, bool user)
{
	struct namespace *ns;

	for_each_namespace(ns, restore_namespaces(r)) {
		if (!ns->of_root || has_no_phases(ns) || !ns->kind->born || (ns->kind->flag == CLONE_NEWUSER) != user)
			continue;
		LOG_SCOPE("%s namespace %u", ns->kind->name, ns->id);
		TRY(ns->kind->born(r, ns));
	}
	return 0;
}

int namespaces_restore_born(struct restore *r, struct task *task)
{
	struct namespace *ns;

	if (task != r->tree->root)
		return pid_space_arrive(r, task);

	TRY(user_join_enter(r));
	for_each_namespace(ns, restore_namespaces(r))
		if (ns->of_root && !ns->own && !ns->made_first)
			TRY(open_of(r->tree->root->restore->proc, ns));
	/* The user namespace first: it gives rights in the others. */
	TRY(run_births(r, true));
	if (r->facts->ids)
		TRY(make_some(r, true));
	return run_births(r, false);
}

static int unshare_once(struct namespace *ns)
{
	if (unshare((int)ns->kind->flag) < 0)
		return fail_errno("making a %s namespace", ns->kind->name);
	auto_close(&ns->fd);
	ns->fd = namespace_open_own(ns->kind->name);
	return ns->fd < 0 ? ns->fd : 0;
}

#ifndef NS_GET_MNTNS_ID
#define NS_GET_MNTNS_ID _IOR(0xb7, 0x5, uint64_t)
#endif

static uint64_t mounts_id(const struct namespace *ns)
{
	uint64_t id;

	return ns->fd >= 0 && ioctl(ns->fd, NS_GET_MNTNS_ID, &id) == 0 ? id : 0;
}

struct unsharing {
	struct namespace *ns;
	struct namespace *root; /* that of the root task */
};

/*
 * The file of a mount namespace may be mounted in older ones only (mnt_namespaces(7)). Linux 6.18 compares their ids
 * for that, of which each CPU has a supply of its own (gen_cookie_next()): so the right CPU must make it.
 */
static int unshare_one(void *arg)
{
	const struct unsharing *job = arg;
	struct namespace *ns = job->ns;
	cpu_set_t cpus, one;

	TRY(unshare_once(ns));
	if (ns->kind->flag != CLONE_NEWNS || sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return 0;
	for (size_t cpu = 0; cpu < CPU_SETSIZE && mounts_id(ns) < mounts_id(job->root); cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (CPU_ISSET(cpu, &cpus) && sched_setaffinity(0, sizeof(one), &one) == 0)
			TRY(unshare_once(ns));
	}
	return 0;
}

int namespace_open_owner(struct restore *r, const struct namespace *ns, uint32_t *ret_flag)
{
	AUTO_FREE char *path = ns->owner ? xprintf("/proc/%d", broker_pid(ns->owner->broker)) : NULL;
	int proc = path ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)
			: openat(r->tree->root->restore->proc, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	*ret_flag = ns->owner || r->facts->ids ? CLONE_NEWUSER : 0;
	return proc < 0 ? fail_errno("opening the user namespace of %s namespace %u", ns->kind->name, ns->id) : proc;
}

/* In the user namespace that it belongs to. */
static int make_one(struct restore *r, struct namespace *ns)
{
	struct unsharing job = { .ns = ns };
	uint32_t flag;
	AUTO_CLOSE int proc = namespace_open_owner(r, ns, &flag);

	TRY(proc);
	(void)namespace_of_root(restore_namespaces(r), r->tree, ns->kind->flag, &job.root);
	return ns->kind->make && ns->kind->made_inside ? ns->kind->make(r, ns)
						       : namespace_run(proc, flag, unshare_one, &job);
}

/* After those around it. */
static int make_users(struct restore *r, struct namespace *ns)
{
	if (ns->owner && ns->owner->fd < 0)
		TRY(make_users(r, ns->owner));
	LOG_SCOPE("%s namespace %u", ns->kind->name, ns->id);
	return ns->fd < 0 ? user_make_inner(r, ns) : 0;
}

/* Those of other tasks. Who comes back to where criu is needs that one, too. */
static int make_nested(struct restore *r)
{
	struct namespace *ns;

	for_each_namespace(ns, restore_namespaces(r))
		if (!ns->of_root && !ns->own && ns->kind->flag == CLONE_NEWUSER)
			TRY(make_users(r, ns));

	for_each_namespace(ns, restore_namespaces(r)) {
		if (ns->fd >= 0 || ns->of_root || ns->kind->flag == CLONE_NEWPID)
			continue; /* a pid namespace begins with its first process */
		LOG_SCOPE("%s namespace %u", ns->kind->name, ns->id);
		if (!ns->own) {
			TRY(make_one(r, ns));
		} else {
			AUTO_CLOSE int self = open("/proc/self", O_PATH | O_CLOEXEC);

			if (self < 0)
				return fail_errno("opening /proc/self");
			TRY(open_of(self, ns));
		}
	}
	return 0;
}

int namespaces_restore_fill(struct restore *r)
{
	if (!restore_namespaces(r)->any)
		return 0;
	TRY(make_nested(r));
	FOR_KINDS(r, fill);
}

/* A helper lives where it was born, unless it visits. */
static const struct task *with_namespaces(const struct task *task)
{
	while (task && !task->ids)
		task = task->restore->creator;
	return task;
}

int namespaces_plan_enter(struct restore *r, struct task *task, struct plan *plan)
{
	const struct task *creator =
		task->is_joined ? r->tree->root /* as that one it began */ : with_namespaces(task->restore->creator);
	struct namespace *ns;
	bool any = false;

	if (!restore_namespaces(r)->any || !creator || !task_is_live(task))
		return 0;
	for_each_namespace(ns, restore_namespaces(r)) {
		const char *why = plan_why(plan, "enter %s namespace %u", ns->kind->name, ns->id);

		if (ns->kind->flag & (CLONE_NEWPID | CLONE_NEWUSER) ||
		    namespace_of(restore_namespaces(r), task, ns->kind) != ns ||
		    namespace_of(restore_namespaces(r), creator, ns->kind) == ns)
			continue;
		if (!any)
			restorer_plan_find_us(plan, r->us, SLOT_US);
		any = true;
		plan_syscall(plan, why, __NR_pidfd_getfd, S(SLOT_US), V(ns->fd), V(0))->to_slot = SLOT_FD;
		plan_syscall(plan, why, __NR_setns, S(SLOT_FD), V(ns->kind->flag));
		plan_syscall(plan, why, __NR_close, S(SLOT_FD));
	}
	if (any)
		plan_syscall(plan, "close criu's pidfd", __NR_close, S(SLOT_US));
	return 0;
}

static const struct namespace *users_of(const struct restore *r, const struct task *task)
{
	const struct namespace *ns = namespace_of(restore_namespaces(r), task, namespace_kind_find(CLONE_NEWUSER));

	return ns && !ns->of_root && !ns->own ? ns : NULL;
}

int namespaces_plan_users(struct restore *r, struct task *task, struct plan *plan)
{
	const struct namespace *users = task->ids ? users_of(r, task) : NULL;

	if (!users || users->id == task->restore->users || (!task_is_live(task) && !task->restore->visits_for))
		return 0;
	restorer_plan_find_us(plan, r->us, SLOT_US);
	user_plan_inner(r, task, users, plan, SLOT_US, SLOT_FD);
	plan_syscall(plan, "close criu's pidfd", __NR_close, S(SLOT_US));
	return 0;
}

void namespaces_born_like(struct task *task, const struct task *creator)
{
	task->restore->users = creator->restore->users;
	task->restore->ids_of = creator->restore->ids_of;
}

static bool is_within(const struct namespace *ns, const struct namespace *around)
{
	while (ns && ns != around)
		ns = ns->owner;
	return ns;
}

bool namespaces_is_inside(const struct restore *r, const struct task *task)
{
	task = with_namespaces(task);
	return task && users_of(r, task);
}

static const CredsEntry *creds_of(const struct task *task)
{
	return (task->restore->visits_for ?: task)->leader->core->thread_core->creds;
}

bool namespaces_want_outside(const struct restore *r, const struct task *task, const struct task *creator)
{
	const struct namespace *users;
	struct namespace *ns;

	creator = with_namespaces(creator);
	users = creator ? users_of(r, creator) : NULL;
	if (!users || !task->ids || (!task_is_live(task) && !task->restore->visits_for))
		return false;
	if (!is_within(users_of(r, task), users) || !user_can_take(users, creds_of(creator), creds_of(task)))
		return true;
	for_each_namespace(ns, restore_namespaces(r))
		if (!(ns->kind->flag & (CLONE_NEWPID | CLONE_NEWUSER)) && !is_within(ns->owner, users) &&
		    namespace_of(restore_namespaces(r), task, ns->kind) == ns &&
		    namespace_of(restore_namespaces(r), creator, ns->kind) != ns)
			return true;
	return false;
}

int namespaces_restore_settle(struct restore *r)
{
	FOR_KINDS(r, settle);
}

void namespaces_restore_clean(struct restore *r)
{
	struct namespace *ns;

	if (!restore_namespaces(r))
		return;
	for_each_namespace(ns, restore_namespaces(r)) {
		if (!has_no_phases(ns) && ns->kind->clean)
			ns->kind->clean(r, ns);
	}
	pid_spaces_close(r);
	state_destroy(r->states, &namespace_state);
}
