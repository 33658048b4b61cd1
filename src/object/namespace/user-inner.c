/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User namespaces of single tasks, within that of the root of the tree. Who makes one owns it; its maps are written by
 * a process that lives around it. A task takes all its ids before it goes in: afterwards it may not be able to.
 */
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
#include "object/namespace/user.h"
#include "session/ids.h"

struct inner_making {
	struct restore *r;
	struct namespace *ns;
};

static int make_there(void *arg)
{
	const struct inner_making *making = arg;
	const UsernsEntry *entry = making->ns->data;

	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0)
		return fail_errno("setting the securebits");
	if (entry->has_owner && syscall(SYS_setresuid, NO_ID, entry->owner, NO_ID) < 0)
		return fail_errno("taking the id of user %u, who owned the user namespace", entry->owner);
	prctl(PR_SET_DUMPABLE, 1);
	if (unshare(CLONE_NEWUSER) < 0)
		return fail_errno("making a user namespace");
	prctl(PR_SET_DUMPABLE, 1);
	making->ns->fd = namespace_open_own("user");
	return making->ns->fd < 0 ? making->ns->fd : 0;
}

/* As ourselves, whose files in /proc those of the broker are. */
static int write_there(void *arg)
{
	const struct inner_making *making = arg;
	const struct restore *r = making->r;
	AUTO_FREE char *path = xprintf("/proc/%d", broker_pid(making->ns->broker));
	AUTO_CLOSE int user = r->ids ? openat(r->tree->root->restore->proc, "ns/user", O_RDONLY | O_CLOEXEC) : -1;
	AUTO_CLOSE int proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int error;

	if (proc < 0)
		return fail_errno("opening %s", path);
	if (syscall(SYS_setresuid, 0, 0, 0) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0)
		return fail_errno("acting as root");
	if (r->ids && (user < 0 || setns(user, CLONE_NEWUSER) < 0))
		return fail_errno("entering the user namespace of the root task");
	error = user_write_maps(proc, making->ns->data);
	prctl(PR_SET_DUMPABLE, 1);
	return error;
}

int user_make_inner(struct restore *r, struct namespace *ns)
{
	struct inner_making making = { r, ns };
	int dumpable = prctl(PR_GET_DUMPABLE), error;

	error = namespace_run(r->tree->root->restore->proc, r->ids ? CLONE_NEWUSER : 0, make_there, &making);
	if (error == 0)
		error = broker_begin(r, &ns->broker);
	if (error == 0)
		error = broker_enter(ns->broker, ns->fd);
	if (error == 0)
		error = namespace_run(-1, 0, write_there, &making);
	prctl(PR_SET_DUMPABLE, dumpable == 1);
	return error;
}

static bool has_groups(const struct restore *r, const CredsEntry *creds)
{
	return r->n_groups == creds->n_groups &&
	       (!creds->n_groups || !memcmp(r->groups, creds->groups, creds->n_groups * sizeof(*creds->groups)));
}

static void plan_ids(const struct restore *r, const CredsEntry *creds, struct plan *plan)
{
	plan_syscall(plan, "keep the capabilities", __NR_prctl, V(PR_SET_SECUREBITS), V(SECBIT_NO_SETUID_FIXUP));
	if (!has_groups(r, creds))
		plan_syscall(plan, "set the groups", __NR_setgroups, V(creds->n_groups),
			     creds->n_groups
				     ? D(plan_data(plan, creds->groups, creds->n_groups * sizeof(*creds->groups)))
				     : V(0));
	plan_syscall(plan, "set the group ids", __NR_setresgid, V(creds->gid), V(creds->egid), V(creds->sgid));
	plan_syscall(plan, "set the user ids", __NR_setresuid, V(creds->uid), V(creds->euid), V(creds->suid));
	plan_syscall(plan, "set the file system gid", __NR_setfsgid, V(creds->fsgid));
	plan_syscall(plan, "set the file system uid", __NR_setfsuid, V(creds->fsuid));
}

void user_plan_inner(const struct restore *r, const struct task *task, const struct namespace *ns, struct plan *plan,
		     unsigned us, unsigned slot)
{
	const struct task *of = task->restore->visits_for ?: task;
	const CredsEntry *creds = of->leader->core->thread_core->creds;
	const char *why = plan_why(plan, "enter user namespace %u", ns->id);

	plan_syscall(plan, "find the broker", __NR_pidfd_getfd, S(us), V(broker_pidfd(ns->broker)), V(0))->to_slot =
		(uint8_t)(slot + 1);
	plan_syscall(plan, why, __NR_pidfd_getfd, S(us), V(ns->fd), V(0))->to_slot = (uint8_t)slot;
	plan_ids(r, creds, plan);
	plan_syscall(plan, why, __NR_setns, S(slot), V(CLONE_NEWUSER));
	plan_syscall(plan, "let others look at it", __NR_prctl, V(PR_SET_DUMPABLE), V(1));
	plan_syscall(plan, "die with its parent", __NR_prctl, V(PR_SET_PDEATHSIG), V(SIGKILL));
	plan_syscall(plan, "keep the pidfd of the broker", __NR_dup3, S(slot + 1), V(r->us), V(O_CLOEXEC));
	plan_syscall(plan, "close the first one", __NR_close, S(slot + 1));
	plan_syscall(plan, "close the namespace", __NR_close, S(slot));
}
