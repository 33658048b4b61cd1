/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User namespaces of single tasks, within that of the root of the tree, or within each other. Who makes one owns it;
 * its maps are written by a process that lives around it. A task takes its ids before it goes in: afterwards it may not
 * be able to. Who is born there has those of its creator first.
 */
#include "object/namespace/user-inner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "object/namespace/broker.h"
#include "object/namespace/namespace.h"
#include "object/namespace/user-ids.h"
#include "object/namespace/user-restore.h"
#include "plan/plan.h"
#include "session/ids.h"

struct inner_making {
	struct restore *r;
	struct namespace *ns;
	int around; /* directory in /proc of a process in the user namespace around it */
	uint32_t flag;
};

/* A group that has a number there, as whoever makes one must have. */
static uint32_t first_gid(const struct restore *r, const struct namespace *around)
{
	const UsernsEntry *entry = around ? around->data : NULL;

	return !entry ? restore_task_gid(r) : entry->n_gid_map ? entry->gid_map[0]->first : NO_ID;
}

static int make_there(void *arg)
{
	const struct inner_making *making = arg;
	const UsernsEntry *entry = making->ns->data;
	uint32_t owner = user_inner_uid(making->ns->owner, entry->owner);

	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0)
		return fail_errno("setting the securebits");
	(void)syscall(SYS_setresgid, NO_ID, first_gid(making->r, making->ns->owner), NO_ID);
	if (entry->has_owner && syscall(SYS_setresuid, NO_ID, owner, NO_ID) < 0)
		return fail_errno("taking the id of user %u, who owned the user namespace", entry->owner);
	prctl(PR_SET_DUMPABLE, 1);
	if (unshare(CLONE_NEWUSER) < 0)
		return fail_errno("making a user namespace");
	prctl(PR_SET_DUMPABLE, 1);
	making->ns->fd = namespace_open_own("user");
	return making->ns->fd < 0 ? making->ns->fd : 0;
}

static UidGidExtent **map_from(struct pool *pool, uint32_t (*inner)(const struct namespace *ns, uint32_t id),
			       const struct namespace *around, UidGidExtent *const *map, size_t n)
{
	UidGidExtent **to = pool_array(pool, UidGidExtent *, n + 1);

	for (size_t i = 0; i < n; i++) {
		to[i] = pool_copy(pool, map[i], sizeof(**to));
		to[i]->lower_first = inner(around, map[i]->lower_first);
	}
	return to;
}

/* As ourselves, whose files in /proc those of the broker are. The kernel wants the ids of the namespace around. */
static int write_there(void *arg)
{
	const struct inner_making *making = arg;
	struct pool *pool = making->r->pool;
	const struct namespace *ns = making->ns;
	AUTO_FREE char *path = xprintf("/proc/%d", broker_pid(ns->broker));
	AUTO_CLOSE int user = making->flag ? openat(making->around, "ns/user", O_RDONLY | O_CLOEXEC) : -1;
	AUTO_CLOSE int proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	UsernsEntry entry = *(const UsernsEntry *)ns->data;
	int error;

	if (proc < 0)
		return fail_errno("opening %s", path);
	if (syscall(SYS_setresuid, 0, 0, 0) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0)
		return fail_errno("acting as root");
	if (making->flag && (user < 0 || setns(user, CLONE_NEWUSER) < 0))
		return fail_errno("entering the user namespace around it");
	entry.uid_map = map_from(pool, user_inner_uid, ns->owner, entry.uid_map, entry.n_uid_map);
	entry.gid_map = map_from(pool, user_inner_gid, ns->owner, entry.gid_map, entry.n_gid_map);
	error = user_write_maps(proc, &entry);
	prctl(PR_SET_DUMPABLE, 1);
	return error;
}

int user_make_inner(struct restore *r, struct namespace *ns)
{
	struct inner_making making = { .r = r, .ns = ns };
	int dumpable = prctl(PR_GET_DUMPABLE), error;
	AUTO_CLOSE int around = namespace_open_owner(r, ns, &making.flag);

	TRY(around);
	making.around = around;
	error = namespace_run(around, making.flag, make_there, &making);
	if (error == 0)
		error = broker_begin(r->pool, r->facts->inner_pids ? NULL : r->tree, &ns->broker);
	if (error == 0)
		error = broker_enter(ns->broker, ns->fd);
	if (error == 0)
		error = namespace_run(-1, 0, write_there, &making);
	prctl(PR_SET_DUMPABLE, dumpable == 1);
	return error;
}

static int make_empty(void *arg)
{
	int *fd = arg;

	if (unshare(CLONE_NEWUSER) < 0)
		return fail_errno("making a user namespace");
	*fd = namespace_open_own("user");
	return *fd < 0 ? *fd : 0;
}

/* Maps are those of a process. */
static int map_empty(struct broker *broker, int user_ns, const char *users, const char *groups)
{
	AUTO_FREE char *path = xprintf("/proc/%d", broker_pid(broker));
	AUTO_CLOSE int proc = -1;
	int error;

	TRY(broker_enter(broker, user_ns));
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return fail_errno("opening %s", path);
	error = *users ? file_write_text(proc, "uid_map", users) : 0;
	if (error == 0 && *groups)
		error = file_write_text(proc, "gid_map", groups);
	return error < 0 ? fail(-error, "writing the maps of a user namespace") : 0;
}

int namespace_make_users(struct restore *r, const char *users, const char *groups, int *ret_fd)
{
	struct broker *broker = NULL;
	int error;

	TRY(namespace_run(-1, 0, make_empty, ret_fd));
	error = broker_begin(r->pool, r->facts->inner_pids ? NULL : r->tree, &broker);
	if (error == 0)
		error = map_empty(broker, *ret_fd, users, groups);
	broker_end(&broker);
	return error;
}

const struct namespace *user_now(const struct restore *r, const struct task *task)
{
	const struct namespace *ns;

	for_each_namespace(ns, restore_namespaces(r))
		if (task->restore->users && ns->id == task->restore->users && ns->kind->flag == CLONE_NEWUSER)
			return ns;
	return NULL;
}

/* As the namespace sees it, if it is to be changed. */
static uint64_t uid_step(const struct namespace *ns, const CredsEntry *has, uint32_t old, uint32_t want)
{
	return has && old == want ? NO_ID : user_inner_uid(ns, want);
}

static uint64_t gid_step(const struct namespace *ns, const CredsEntry *has, uint32_t old, uint32_t want)
{
	return has && old == want ? NO_ID : user_inner_gid(ns, want);
}

static void plan_groups(struct restore *r, const struct namespace *now, const CredsEntry *has, const CredsEntry *creds,
			struct plan *plan)
{
	const CredsEntry first = { .groups = (uint32_t *)r->facts->groups, .n_groups = r->facts->n_groups };
	uint32_t *groups = pool_array(r->pool, uint32_t, creds->n_groups + 1);

	if (user_same_groups(has ?: &first, creds))
		return;
	for (size_t i = 0; i < creds->n_groups; i++)
		groups[i] = user_inner_gid(now, creds->groups[i]);
	plan_syscall(plan, "set the groups", __NR_setgroups, V(creds->n_groups),
		     creds->n_groups ? D(plan_data(plan, groups, creds->n_groups * sizeof(*groups))) : V(0));
}

/* has: the ids that it was born with; NULL: those of new tasks in the user namespace of the root. */
static void plan_ids(struct restore *r, const struct namespace *now, const CredsEntry *has, const CredsEntry *creds,
		     struct plan *plan)
{
	static const CredsEntry none;
	const CredsEntry *old = has ?: &none;

	plan_syscall(plan, "keep the capabilities", __NR_prctl, V(PR_SET_SECUREBITS), V(SECBIT_NO_SETUID_FIXUP));
	plan_groups(r, now, has, creds, plan);
	if (!has && creds->n_outer_ids)
		return; /* those of the root task, which it was born with and nobody could set */
	plan_syscall(plan, "set the group ids", __NR_setresgid, V(gid_step(now, has, old->gid, creds->gid)),
		     V(gid_step(now, has, old->egid, creds->egid)), V(gid_step(now, has, old->sgid, creds->sgid)));
	plan_syscall(plan, "set the user ids", __NR_setresuid, V(uid_step(now, has, old->uid, creds->uid)),
		     V(uid_step(now, has, old->euid, creds->euid)), V(uid_step(now, has, old->suid, creds->suid)));
	plan_syscall(plan, "set the file system gid", __NR_setfsgid, V(user_inner_gid(now, creds->fsgid)));
	plan_syscall(plan, "set the file system uid", __NR_setfsuid, V(user_inner_uid(now, creds->fsuid)));
}

void user_plan_inner(struct restore *r, struct task *task, const struct namespace *ns, struct plan *plan, unsigned us,
		     unsigned slot)
{
	const struct task *of = task->restore->visits_for ?: task, *like = task->restore->ids_of;
	const char *why = plan_why(plan, "enter user namespace %u", ns->id);

	plan_syscall(plan, "find the broker", __NR_pidfd_getfd, S(us), V(broker_pidfd(ns->broker)), V(0))->to_slot =
		(uint8_t)(slot + 1);
	plan_syscall(plan, why, __NR_pidfd_getfd, S(us), V(ns->fd), V(0))->to_slot = (uint8_t)slot;
	plan_ids(r, user_now(r, task), like ? like->leader->core->thread_core->creds : NULL,
		 of->leader->core->thread_core->creds, plan);
	plan_syscall(plan, why, __NR_setns, S(slot), V(CLONE_NEWUSER));
	plan_syscall(plan, "let others look at it", __NR_prctl, V(PR_SET_DUMPABLE), V(1));
	plan_syscall(plan, "die with its parent", __NR_prctl, V(PR_SET_PDEATHSIG), V(SIGKILL));
	plan_syscall(plan, "keep the pidfd of the broker", __NR_dup3, S(slot + 1), V(r->us), V(O_CLOEXEC));
	plan_syscall(plan, "close the first one", __NR_close, S(slot + 1));
	plan_syscall(plan, "close the namespace", __NR_close, S(slot));
	task->restore->users = ns->id;
	task->restore->ids_of = of;
}
