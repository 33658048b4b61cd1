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

/* The first one of the tree hands it on to the others. True: it was changed. */
static bool take_loginuid(const struct restore *r, uint32_t *ret_old)
{
	const CoreEntry *core = r->tree->root->leader->core;
	char text[16];

	if (!core->tc || !core->tc->has_loginuid || file_read_text(AT_FDCWD, LOGINUID, text, sizeof(text)) < 0 ||
	    text_to_u32(text, 10, ret_old) < 0 || *ret_old == core->tc->loginuid)
		return false;
	write_loginuid(core->tc->loginuid);
	return true;
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

/* Namespaces that are given and not made belong to others: whoever lives in the user namespace may not enter them. */
static int enter_given(struct restore *r, int homes[N_HOMES])
{
	struct namespace *ns;
	size_t n = 0;

	for_each_namespace(ns, restore_namespaces(r)) {
		char path[48];

		if (!ns->of_root || ns->own || !ns->made_first || ns->kind->made_inside)
			continue;
		snprintf(path, sizeof(path), "/proc/thread-self/ns/%s", ns->kind->name);
		homes[n] = open(path, O_RDONLY | O_CLOEXEC);
		if (homes[n++] < 0 || setns(ns->fd, (int)ns->kind->flag) < 0)
			return fail_errno("entering the given %s namespace", ns->kind->name);
	}
	return 0;
}

static int leave_given(int homes[N_HOMES])
{
	for (size_t i = 0; i < N_HOMES && homes[i] >= 0; i++) {
		if (setns(homes[i], 0) < 0)
			return fail_errno("coming back from a given namespace");
		close(homes[i]);
	}
	return 0;
}

static int give_birth(struct restore *r, int (*boot)(void *arg), void *arg)
{
	const CredsEntry *root = user_creds_of_root(r);
	uid_t uid[3];
	gid_t gid[3], groups[1024];
	uint32_t loginuid;
	bool logged_in;
	int n, bits, dumpable, signal = 0, result, back, homes[N_HOMES];
	struct namespace *user;

	bits = prctl(PR_GET_SECUREBITS);
	dumpable = prctl(PR_GET_DUMPABLE);
	n = getgroups(1024, groups);
	if (bits < 0 || dumpable < 0 || n < 0 || prctl(PR_GET_PDEATHSIG, &signal) < 0 ||
	    getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0)
		return fail_errno("reading the own ids");
	memset(homes, -1, sizeof(homes));
	(void)namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWUSER, &user);
	logged_in = take_loginuid(r, &loginuid);
	result = enter_given(r, homes);
	if (result == 0)
		result = take_ids(root, user->data, bits);
	recover_rights(dumpable, signal);
	if (result == 0)
		result = boot(arg);
	if (syscall(SYS_setresuid, uid[0], uid[1], uid[2]) < 0 || syscall(SYS_setresgid, gid[0], gid[1], gid[2]) < 0 ||
	    syscall(SYS_setgroups, (size_t)n, groups) < 0 || prctl(PR_SET_SECUREBITS, bits) < 0)
		result = fail_errno("taking the own ids again");
	recover_rights(dumpable, signal);
	if (logged_in)
		write_loginuid(loginuid);
	back = leave_given(homes);
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
	r->give_birth = give_birth;
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
	bool keeps = root && root->n_outer_ids;
	uint32_t uid = restore_task_uid(r), gid = restore_task_gid(r);

	if (!r->facts->ids)
		return 0;
	if (!r->facts->n_groups && r->facts->ids->groups.n && !r->facts->ids->setgroups_denied)
		plan_syscall(plan, "have no groups in the user namespace", __NR_setgroups, V(0), V(0));
	if (!keeps && r->facts->ids->groups.n)
		plan_syscall(plan, "take the first group of the user namespace", __NR_setresgid, V(gid), V(gid),
			     V(gid));
	if (!keeps && r->facts->ids->users.n)
		plan_syscall(plan, "become root of the user namespace", __NR_setresuid, V(uid), V(uid), V(uid));
	plan_syscall(plan, "let others look at it", __NR_prctl, V(PR_SET_DUMPABLE), V(1));
	plan_syscall(plan, "die with criu", __NR_prctl, V(PR_SET_PDEATHSIG), V(SIGKILL));
	return 0;
}
