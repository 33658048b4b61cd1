/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore: namespaces that the user gives in the place of those of the tree (--join-ns). */
#include "object/namespace/join.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "object/namespace/namespace.h"
#include "plan/plan.h"

static int open_given(const struct opt_join_ns *option, const char *name, int *ret_fd)
{
	/* Whatever the file is, to open it must not wait. */
	AUTO_CLOSE int fd = open(option->file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int type;

	if (fd < 0 && option->pid && errno == ENOENT)
		return refuse(ESRCH, "--join-ns %s:%d: there is no such process", name, option->pid);
	if (fd < 0)
		return fail_errno("--join-ns %s:%s", name, option->file);
	type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0 || (uint32_t)type != option->flag)
		return refuse(EINVAL, "--join-ns %s:%s: that is no %s namespace", name, option->file, name);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* What lies within it, or upon it, was made for the other one. */
static int check_alone(const struct restore *r, const struct namespace *ns)
{
	const struct namespace *other;

	for_each_namespace(other, restore_namespaces(r)) {
		if (other == ns || other->kind != ns->kind || ns->kind->flag != CLONE_NEWNS)
			continue;
		if (other->task)
			return refuse(EOPNOTSUPP,
				      "--join-ns mnt: task %d lived in another mount namespace than the root of the "
				      "tree, which cannot be made beside one that is given",
				      other->task->vpid);
		return refuse(EOPNOTSUPP,
			      "--join-ns mnt: the tree kept another mount namespace, in which no task lived; that "
			      "cannot be made beside one that is given");
	}
	return 0;
}

/* A process is in its own user namespace and cannot enter it once more. */
bool join_is_own_users(const struct opt_join_ns *option)
{
	struct stat own, given;

	return option->flag == CLONE_NEWUSER && stat("/proc/self/ns/user", &own) == 0 &&
	       stat(option->file, &given) == 0 && own.st_dev == given.st_dev && own.st_ino == given.st_ino;
}

/* The last option for a kind counts. */
static int join_given(const struct restore *r, const struct opt_join_ns *option)
{
	const struct namespace_kind *kind = namespace_kind_find(option->flag);
	AUTO_CLOSE int fd = -1;
	struct namespace *ns;

	if (!kind->joinable)
		return refuse(EOPNOTSUPP,
			      "--join-ns %s: a tree cannot be restored into such a namespace yet; start criu in it",
			      kind->name);
	(void)namespace_of_root(restore_namespaces(r), r->tree, option->flag, &ns);
	if (!ns)
		return refuse(EINVAL, "--join-ns %s: the images do not say which %s namespace the tree lived in",
			      kind->name, kind->name);
	TRY(open_given(option, kind->name, &fd));
	TRY(check_alone(r, ns));
	if (ns->fd >= 0)
		close(ns->fd);
	ns->own = join_is_own_users(option);
	ns->joined = !ns->own;
	ns->fd = ns->own ? -1 : TAKE_FD(fd);
	ns->option = option;
	restore_namespaces(r)->any = restore_namespaces(r)->announced = true;
	return 0;
}

int namespaces_join_given(const struct restore *r)
{
	for (size_t i = 0; i < r->options->join_ns.n; i++)
		TRY(join_given(r, &r->options->join_ns.items[i]));
	return 0;
}

void namespace_plan_join(const struct namespace *ns, struct plan *plan)
{
	plan_syscall(plan, plan_why(plan, "enter %s namespace %u", ns->kind->name, ns->id), __NR_setns, V(ns->fd),
		     V(ns->kind->flag));
}
