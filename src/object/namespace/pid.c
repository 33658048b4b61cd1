/* SPDX-License-Identifier: GPL-2.0-only */
/* PID namespaces. There is nothing in them but the numbers of the tasks: session/pids.h, task/pid-space.h,
 * flow/number.c. Those within that of the tree begin with their first processes (flow/birth.c). */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "base/fail.h"
#include "object/namespace/namespace.h"
#include "pidns.pb-c.h"
#include "session/pids.h"

#define SLOT_US 1
#define SLOT_FD 2

static int collect_pid(struct dump *d, struct namespace *ns)
{
	if (ns->of_root && d->tree->root->vpid != 1)
		return refuse(EOPNOTSUPP,
			      "process %d is not the first of its pid namespace: dump the tree of the one that is, or "
			      "run criu "
			      "inside (nsenter -t %d --pid --mount)",
			      d->tree->root->pid, d->tree->root->pid);
	return 0;
}

/* The numbers are in all other images. */
static int dump_pid(struct dump *d, struct namespace *ns)
{
	return 0;
}

static int load_pid(struct restore *r, struct namespace *ns)
{
	PidnsEntry *entry;
	int error;

	if (!ns->of_root)
		return ns->task->pid_space
			       ? 0
			       : refuse(EINVAL, "pstree.img does not tell the pids in it: the image is damaged");
	error = image_read_one(r->store, IMAGE_PIDNS, &entry, ns->id);

	if (error == 0)
		return refuse(EOPNOTSUPP, "pidns-%u.img: an external pid namespace (%s) can't be restored yet", ns->id,
			      entry->ext_key ?: "without a name");
	if (error != -ENOENT)
		return error;
	if (r->tree->root->vpid != 1)
		return refuse(EINVAL, "the root task has the pid %d in a pid namespace of its own: it must be 1",
			      r->tree->root->vpid);
	r->inner_pids = true;
	return 0;
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

	restore_plan_find_us(r, plan, SLOT_US);
	plan_syscall(plan, why, __NR_pidfd_getfd, S(SLOT_US), V(file), V(0))->to_slot = SLOT_FD;
	plan_syscall(plan, why, __NR_setns, S(SLOT_FD), V(CLONE_NEWPID));
	plan_syscall(plan, why, __NR_close, S(SLOT_FD));
	plan_syscall(plan, why, __NR_close, S(SLOT_US));
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
};
