/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Restore of a user namespace. It belongs to whoever makes it: we take the ids of its first owner for that moment. As
 * soon as the root task has been born into it we write its maps, and the task becomes root over there. Nobody in it has
 * power over us, so a broker, a process of ours that lives in it and shares our descriptors, stands in for us where
 * tasks fetch descriptors (pidfd_getfd(2)).
 */
#include "object/namespace/user-restore.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "kern/pidfd.h"
#include "object/namespace/broker.h"
#include "object/namespace/namespace.h"
#include "object/namespace/user-join.h"
#include "plan/plan.h"
#include "session/ids.h"

#define N_HOMES	 8
#define LOGINUID "/proc/thread-self/loginuid"
#define NO_FIXUP (1u << SECURE_NO_SETUID_FIXUP)

const CredsEntry *user_creds_of_root(const struct restore *r)
{
	const CoreEntry *core = r->tree->root->leader->core;

	return core && core->thread_core ? core->thread_core->creds : NULL;
}

/* --- the birth --- */

/* What a change of ids takes away: the right of others to look at us, which tasks need, and the signal of our parent.
 */
static void recover_rights(int dumpable, int signal)
{
	prctl(PR_SET_DUMPABLE, dumpable == 1);
	prctl(PR_SET_PDEATHSIG, signal);
}

static int set_groups(const uint32_t *groups, size_t n)
{
	return syscall(SYS_setgroups, n, groups) < 0 ? fail_errno("taking the %zu groups of the root task", n) : 0;
}

static void write_loginuid(uint32_t id)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", id);
	if (file_write_text(AT_FDCWD, LOGINUID, text) < 0)
		log_warn("the loginuid cannot be set to %u (CAP_AUDIT_CONTROL?)", id);
}

void user_login_take(const struct restore *r, struct user_login *login)
{
	const CoreEntry *core = r->tree->root->leader->core;
	char text[16];

	login->changed = core->tc && core->tc->has_loginuid &&
			 file_read_text(AT_FDCWD, LOGINUID, text, sizeof(text)) >= 0 &&
			 text_to_u32(text, 10, &login->old) == 0 && login->old != core->tc->loginuid;
	if (login->changed)
		write_loginuid(core->tc->loginuid);
}

void user_login_leave(const struct user_login *login)
{
	if (login->changed)
		write_loginuid(login->old);
}

bool user_groups_are_fixed(const struct restore *r)
{
	return r->facts->ids->setgroups_denied || !r->facts->ids->groups.n;
}

uint32_t *user_outer_groups(const struct restore *r)
{
	uint32_t *outer = pool_array(r->pool, uint32_t, r->facts->n_groups + 1);

	for (size_t i = 0; i < r->facts->n_groups; i++)
		outer[i] = restore_outer_gid(r, r->facts->groups[i]);
	return outer;
}

int user_take_groups(const struct restore *r)
{
	return set_groups(user_outer_groups(r), r->facts->n_groups);
}

/* The plain system calls: they change this thread only. */
static int take_ids(const CredsEntry *root, const UsernsEntry *entry, int securebits)
{
	uid_t owner = entry->has_owner ? entry->owner : geteuid();
	const uint32_t *outer = root && root->n_outer_ids == 8 ? root->outer_ids : NULL;

	if (prctl(PR_SET_SECUREBITS, (unsigned)securebits | NO_FIXUP) < 0)
		return fail_errno("setting the securebits");
	if (root && root->n_outer_groups)
		TRY(set_groups(root->outer_groups, root->n_outer_groups));
	if (outer && syscall(SYS_setresgid, outer[4], outer[5], outer[6]) < 0)
		return fail_errno("taking the group %u of the root task", outer[5]);
	if (syscall(SYS_setresuid, outer ? outer[0] : NO_ID, outer ? outer[1] : owner, outer ? outer[2] : NO_ID) < 0)
		return fail_errno("taking the id of user %u, who owned the user namespace", outer ? outer[1] : owner);
	return 0;
}

/* Where this thread was. */
struct home {
	int fds[N_HOMES]; /* namespaces */
	int root, cwd;	  /* directories; -1: it did not leave its mount namespace */
};

static bool is_given(const struct namespace *ns)
{
	return ns->of_root && !ns->own && ns->made_first && !ns->kind->made_inside;
}

static int enter_one(const struct namespace *ns, int *ret_home)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/thread-self/ns/%s", ns->kind->name);
	*ret_home = open(path, O_RDONLY | O_CLOEXEC);
	if (*ret_home < 0 || setns(ns->fd, (int)ns->kind->flag) < 0)
		return fail_errno("entering the given %s namespace", ns->kind->name);
	return 0;
}

/* For that this thread has directories of its own. */
static int enter_mounts(const struct namespace *ns, struct home *home, int *ret_home)
{
	if (unshare(CLONE_FS) < 0)
		return fail_errno("getting a root directory of its own (unshare)");
	home->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	home->cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (home->root < 0 || home->cwd < 0)
		return fail_errno("opening the own directories");
	return enter_one(ns, ret_home);
}

/* Namespaces that are given and not made belong to others: whoever lives in the user namespace may not enter them. That
 * of mounts comes last: nothing of ours is there. */
static int enter_given(struct restore *r, struct home *home)
{
	struct namespace *ns;
	size_t n = 0;

	for_each_namespace(ns, restore_namespaces(r))
		if (is_given(ns) && ns->kind->flag != CLONE_NEWNS)
			TRY(enter_one(ns, &home->fds[n++]));
	for_each_namespace(ns, restore_namespaces(r))
		if (is_given(ns) && ns->kind->flag == CLONE_NEWNS)
			TRY(enter_mounts(ns, home, &home->fds[n++]));
	return 0;
}

static int leave_given(struct home *home)
{
	AUTO_CLOSE int root = home->root, cwd = home->cwd;
	int error = 0;

	for (size_t i = N_HOMES; i-- > 0;) {
		if (home->fds[i] < 0)
			continue;
		if (setns(home->fds[i], 0) < 0)
			error = fail_errno("coming back from a given namespace");
		close(home->fds[i]);
	}
	if (root >= 0 && cwd >= 0 && (fchdir(root) < 0 || chroot(".") < 0 || fchdir(cwd) < 0))
		error = fail_errno("coming back to the own directories");
	return error;
}

static int give_birth(struct restore *r, const struct root_birth *birth)
{
	const CredsEntry *root = user_creds_of_root(r);
	uid_t uid[3];
	gid_t gid[3], groups[1024];
	int n, bits, dumpable, signal = 0, result, back;
	struct user_login login;
	struct home home;
	struct namespace *user;

	bits = prctl(PR_GET_SECUREBITS);
	dumpable = prctl(PR_GET_DUMPABLE);
	n = getgroups(1024, groups);
	if (bits < 0 || dumpable < 0 || n < 0 || prctl(PR_GET_PDEATHSIG, &signal) < 0 ||
	    getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0)
		return fail_errno("reading the own ids");
	memset(&home, -1, sizeof(home));
	(void)namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWUSER, &user);
	user_login_take(r, &login);
	result = enter_given(r, &home);
	if (result == 0)
		result = take_ids(root, user->data, bits);
	recover_rights(dumpable, signal);
	if (result == 0)
		result = birth->boot(birth->arg);
	if (syscall(SYS_setresuid, uid[0], uid[1], uid[2]) < 0 || syscall(SYS_setresgid, gid[0], gid[1], gid[2]) < 0 ||
	    syscall(SYS_setgroups, (size_t)n, groups) < 0 || prctl(PR_SET_SECUREBITS, bits) < 0)
		result = fail_errno("taking the own ids again");
	recover_rights(dumpable, signal);
	back = leave_given(&home);
	user_login_leave(&login);
	return back < 0 ? back : result;
}

static void end_broker(void *state)
{
	broker_end(state);
}

/* A process of ours in the user namespace of the tree. */
static const struct state_type broker_state = { sizeof(struct broker *), end_broker };

int user_make(struct restore *r)
{
	struct broker **broker = state_make(r->states, &broker_state);

	r->securebits = prctl(PR_GET_SECUREBITS);
	TRY(broker_begin(r->pool, r->facts->inner_pids ? NULL : r->tree, broker));
	r->give_birth = user_is_joined(r) ? user_join_birth : give_birth;
	r->stand_in = broker_pidfd(*broker);
	return 0;
}

/* --- the maps --- */

static int write_map(int proc, const char *name, UidGidExtent *const *map, size_t n)
{
	AUTO(buffer_done) struct buffer text = { 0 };
	int error;

	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++)
		buffer_printf(&text, "%u %u %u\n", map[i]->first, map[i]->lower_first, map[i]->count);
	error = file_write_text(proc, name, text.data);
	return error < 0 ? fail(-error, "writing its %s (are all these ids there for criu?)", name) : 0;
}

int user_write_maps(int proc, const UsernsEntry *entry)
{
	int error;

	if (entry->setgroups_denied) {
		error = file_write_text(proc, "setgroups", "deny");
		if (error < 0)
			return fail(-error, "denying setgroups");
	}
	TRY(write_map(proc, "uid_map", entry->uid_map, entry->n_uid_map));
	return write_map(proc, "gid_map", entry->gid_map, entry->n_gid_map);
}

int user_born(struct restore *r, struct namespace *ns)
{
	if (!ns->of_root)
		return 0;
	if (!ns->joined)
		TRY(user_write_maps(r->tree->root->restore->proc, ns->data));
	TRY(broker_enter(*(struct broker **)state_find(r->states, &broker_state), ns->fd));
	restore_make_files_begin(r);
	return 0;
}

int user_settle(struct restore *r, struct namespace *ns)
{
	if (ns->of_root)
		restore_make_files_end(r);
	return 0;
}

void user_clean(struct restore *r, struct namespace *ns)
{
	if (ns->of_root) {
		state_destroy(r->states, &broker_state);
		restore_make_files_end(r);
	} else {
		broker_end(&ns->broker);
	}
}

int user_plan_root(const struct restore *r, struct plan *plan)
{
	const CredsEntry *root = user_creds_of_root(r);
	bool keeps = root && root->n_outer_ids, chosen = r->facts->ids && r->facts->ids->chosen;
	uint32_t uid = restore_task_uid(r), gid = restore_task_gid(r);

	if (!r->facts->ids)
		return 0;
	if (chosen)
		plan_syscall(plan, "keep the capabilities", __NR_prctl, V(PR_SET_SECUREBITS), V(NO_FIXUP));
	if (!r->facts->n_groups && !user_groups_are_fixed(r))
		plan_syscall(plan, "have no groups in the user namespace", __NR_setgroups, V(0), V(0));
	if (!keeps && r->facts->ids->groups.n)
		plan_syscall(plan, "take the first group of the user namespace", __NR_setresgid, V(gid), V(gid),
			     V(gid));
	if (!keeps && r->facts->ids->users.n)
		plan_syscall(plan, "become root of the user namespace", __NR_setresuid, V(uid), V(uid), V(uid));
	if (chosen)
		plan_syscall(plan, "have no securebits", __NR_prctl, V(PR_SET_SECUREBITS), V(0));
	plan_syscall(plan, "let others look at it", __NR_prctl, V(PR_SET_DUMPABLE), V(1));
	plan_syscall(plan, "die with criu", __NR_prctl, V(PR_SET_PDEATHSIG), V(SIGKILL));
	return 0;
}
