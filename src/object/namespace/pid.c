/* SPDX-License-Identifier: GPL-2.0-only */
/* PID namespaces. There is nothing in them but the numbers of the tasks: session/pids.h, flow/number.c. */
#include <errno.h>
#include <sched.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "object/namespace/namespace.h"
#include "pidns.pb-c.h"

/* A task whose next children would be born into another namespace. */
static int check_children(const struct task *task)
{
	struct stat own, children;

	LOG_SCOPE("task %d (%s)", task->pid, task->comm);
	if (fstatat(task->dump->proc, "ns/pid", &own, 0) < 0)
		return fail_errno("looking at its pid namespace");
	if (fstatat(task->dump->proc, "ns/pid_for_children", &children, 0) == 0 && children.st_ino == own.st_ino)
		return 0;
	return refuse(EOPNOTSUPP,
		      "its children would be born into another pid namespace: that can't be checkpointed yet");
}

static int collect_pid(struct dump *d, struct namespace *ns)
{
	struct task *task;

	if (!ns->of_root)
		return 0; /* it was refused when it was found */
	if (d->tree->root->vpid != 1)
		return refuse(EOPNOTSUPP,
			      "process %d is not the first of its pid namespace: dump the tree of the one that is, or "
			      "run criu "
			      "inside (nsenter -t %d --pid --mount)",
			      d->tree->root->pid, d->tree->root->pid);
	for_each_task(task, d->tree)
		if (task_is_live(task))
			TRY(check_children(task));
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
	int error = image_read_one(r->store, IMAGE_PIDNS, &entry, ns->id);

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

const struct namespace_kind pid_kind = {
	NAMESPACE_KIND("pid", CLONE_NEWPID, pid_ns_id),
	.collect = collect_pid,
	.dump = dump_pid,
	.load = load_pid,
};
