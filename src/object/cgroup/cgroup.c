/* SPDX-License-Identifier: GPL-2.0-only */
/* Cgroup namespaces: each has a root in every hierarchy, where its maker was. The roots stand in cgroup.img, with the
 * sets of tasks. */
#include <sched.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "object/cgroup/enter.h"
#include "object/namespace/namespace.h"

/* The paths of the sets are measured by object/cgroup/sets.c. */
static int dump_cgroup(struct dump *d, struct namespace *ns)
{
	return 0;
}

struct cgroup_job {
	struct restore *r;
	struct namespace *ns;
	int user; /* the directory in /proc of a process in its user namespace */
	uint32_t user_flag;
};

static int make_there(void *arg)
{
	struct cgroup_job *job = arg;

	TRY(cgroup_restore_enter_root(job->r, job->ns->task, getpid()));
	if (job->user_flag)
		TRY(namespace_enter_user(job->user));
	if (unshare(CLONE_NEWCGROUP) < 0)
		return fail_errno("making a cgroup namespace");
	job->ns->fd = namespace_open_own("cgroup");
	return job->ns->fd < 0 ? job->ns->fd : 0;
}

static int make_cgroup(struct restore *r, struct namespace *ns)
{
	struct cgroup_job job = { r, ns };
	AUTO_CLOSE int user = r->facts->ids || ns->owner ? namespace_open_owner(r, ns, &job.user_flag) : -1;

	job.user = user;
	if (user < 0 && job.user_flag)
		return user;
	return namespace_run(-1, 0, make_there, &job);
}

const struct namespace_kind cgroup_kind = {
	NAMESPACE_KIND("cgroup", CLONE_NEWCGROUP, cgroup_ns_id),
	.nested = true,
	.dump = dump_cgroup,
	.make = make_cgroup,
	.made_inside = true,
};
