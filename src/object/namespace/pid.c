/* SPDX-License-Identifier: GPL-2.0-only */
/* PID namespaces. There is nothing in them but the numbers of the tasks: session/pids.h, task/pid-space.h,
 * flow/number.c. Those within that of the tree begin with their first processes (flow/restore/birth.c). */
#include "object/namespace/pid.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "image/record.h"
#include "lib/compel/restorer.h"
#include "object/namespace/namespace.h"
#include "pidns.pb-c.h"
#include "plan/plan.h"
#include "session/given.h"
#include "session/ids.h"
#include "session/needs.h"
#include "session/pids.h"

#define SLOT_US 1
#define SLOT_FD 2

/* One that the user gives again: podman run --pid container:OTHER. */
static const char *external_key(const struct dump *d, const struct namespace *ns)
{
	char inode[32];

	snprintf(inode, sizeof(inode), "%lu", ns->inode);
	return given_external(d->options, "pid", inode);
}

static int check_external(const struct dump *d, const struct namespace *ns, const char *key)
{
	if (!*key)
		return refuse(EINVAL, "--external pid[%lu] gives it no name: pid[%lu]:NAME", ns->inode, ns->inode);
	if (!ns->of_root)
		return refuse(EOPNOTSUPP, "--external pid[%lu]: it lies within that of the root of the tree",
			      ns->inode);
	if (d->tree->root->vpid == 1)
		return refuse(EINVAL,
			      "--external pid[%lu]: process %d is the first of it, so it ends with the tree and cannot "
			      "be given again",
			      ns->inode, d->tree->root->pid);
	log_info("It is external: %s", key);
	return 0;
}

static int collect_pid(const struct dump *d, struct namespace *ns)
{
	const char *key = external_key(d, ns);

	if (key)
		return check_external(d, ns, key);
	if (ns->of_root && d->tree->root->vpid != 1)
		return refuse(EOPNOTSUPP,
			      "process %d is not the first of its pid namespace: dump the tree of the one that is, or "
			      "run criu inside (nsenter -t %d --pid --mount); or say that it will be there at the "
			      "restore: --external pid[%lu]:NAME",
			      d->tree->root->pid, d->tree->root->pid, ns->inode);
	return 0;
}

/* The numbers are in all other images. */
static int dump_pid(struct dump *d, struct namespace *ns)
{
	PidnsEntry entry = PIDNS_ENTRY__INIT;
	const char *key = external_key(d, ns);

	if (!key)
		return 0;
	entry.ext_key = pool_string(d->pool, key);
	return image_write_one(dump_store(d), IMAGE_PIDNS, &entry, ns->id);
}

static int load_external(const struct restore *r, const char *key)
{
	if (given_has_descriptor(r, key))
		return 0;
	return need_given(r, NEED_DESCRIPTOR, key, "the pid namespace of the tasks, which is not in the checkpoint",
			  pool_printf(r->pool,
				      "the pid namespace \"%s\" was outside: give it with --inherit-fd fd[N]:%s", key,
				      key));
}

static int load_pid(const struct restore *r, struct namespace *ns)
{
	PidnsEntry *entry;
	int error;

	if (!ns->of_root)
		return ns->task->pid_space
			       ? 0
			       : refuse(EINVAL, "pstree.img does not tell the pids in it: the image is damaged");
	error = image_read_one(r->store, IMAGE_PIDNS, &entry, ns->id);
	if (error < 0 && error != -ENOENT)
		return error;
	r->facts->inner_pids = true;
	if (error == 0 && entry->ext_key) {
		ns->data = entry;
		return load_external(r, entry->ext_key);
	}
	if (r->tree->root->vpid != 1)
		return refuse(EINVAL, "the root task has the pid %d in a pid namespace of its own: it must be 1",
			      r->tree->root->vpid);
	return 0;
}

/* Nobody enters a pid namespace, but children are born into it: pid_given_enter(). */
static int make_pid(struct restore *r, struct namespace *ns)
{
	const PidnsEntry *entry = ns->data;
	int error = entry ? given_descriptor(r, entry->ext_key, &ns->fd) : 0;

	if (error == -ENOENT)
		return load_external(r, entry->ext_key);
	TRY(error);
	if (entry && ioctl(ns->fd, NS_GET_NSTYPE) != CLONE_NEWPID)
		return refuse(EINVAL, "--inherit-fd fd[N]:%s: that is no pid namespace", entry->ext_key);
	return 0;
}

int pid_given_enter(struct restore *r, int *ret_home)
{
	struct namespace *ns;

	*ret_home = -1;
	if (!namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWPID, &ns) || !ns->made_first ||
	    (r->facts->ids && !r->facts->ids->given))
		return 0; /* whoever is born into a user namespace enters all that are given: user-restore.c */
	return pid_space_enter(ns->fd, ret_home);
}

int pid_space_enter(int file, int *ret_home)
{
	*ret_home = open("/proc/thread-self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (*ret_home < 0 || setns(file, CLONE_NEWPID) < 0)
		return fail_errno("entering a pid namespace");
	return 0;
}

int pid_space_leave(int home)
{
	int error;

	if (home < 0)
		return 0;
	error = setns(home, CLONE_NEWPID) < 0 ? fail_errno("coming back from a pid namespace") : 0;
	close(home);
	return error;
}

int pid_space_file(struct restore *r, const struct pid_space *space)
{
	struct namespace *ns;

	if (space)
		return space->fd;
	(void)namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWPID, &ns);
	if (!ns)
		return refuse(EINVAL, "the images do not tell the pid namespace of the root task");
	if (ns->fd < 0)
		ns->fd = openat(r->tree->root->restore->proc, "ns/pid", O_RDONLY | O_CLOEXEC);
	return ns->fd < 0 ? fail_errno("opening the pid namespace of the tree") : ns->fd;
}

void pid_space_plan_enter(struct restore *r, int file, struct plan *plan)
{
	const char *why = "have children in a pid namespace";

	restorer_plan_find_us(plan, r->us, SLOT_US);
	plan_syscall(plan, why, __NR_pidfd_getfd, S(SLOT_US), V(file), V(0))->to_slot = SLOT_FD;
	plan_syscall(plan, why, __NR_setns, S(SLOT_FD), V(CLONE_NEWPID));
	plan_syscall(plan, why, __NR_close, S(SLOT_FD));
	plan_syscall(plan, why, __NR_close, S(SLOT_US));
}

const struct namespace *pid_space_owner(const struct restore *r, const struct pid_space *space)
{
	const struct namespace *ns;

	for_each_namespace(ns, restore_namespaces(r))
		if (ns->kind->flag == CLONE_NEWPID && ns->task && ns->task->pid_space == space)
			return ns->owner;
	return NULL;
}

int pid_space_arrive(struct restore *r, const struct task *task)
{
	struct pid_space *space = task->pid_space;

	if (!space || space->first != task)
		return 0;
	space->fd = openat(task->restore->proc, "ns/pid", O_RDONLY | O_CLOEXEC);
	return space->fd < 0 ? fail_errno("opening its pid namespace") : 0;
}

int pid_space_plan_children(struct restore *r, struct thread *thread, struct plan *plan)
{
	const struct task *task = thread->task;

	if (!task_is_live(task))
		return 0;
	if (task->children_unborn)
		plan_syscall(plan, "have children in a new pid namespace", __NR_unshare, V(CLONE_NEWPID));
	else if (task->children_space != task->pid_space)
		pid_space_plan_enter(r, task->children_space->fd, plan);
	return 0;
}

void pid_spaces_close(struct restore *r)
{
	struct pid_space *space;

	for_each_pid_space(space, r->tree)
	{
		if (space->fd >= 0)
			close(space->fd);
		space->fd = -1;
	}
}

const struct namespace_kind pid_kind = {
	NAMESPACE_KIND("pid", CLONE_NEWPID, pid_ns_id),
	.nested = true,
	.collect = collect_pid,
	.dump = dump_pid,
	.load = load_pid,
	.make = make_pid,
};
