/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which user namespace owns which of the others: found out by a dump. Those in which no task lives, but that own
 * something or lie around one of the tree, have images as well: bwrap(1) leaves such a one behind.
 */
#include "object/namespace/user-owners.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "image/inventory.h"
#include "object/namespace/broker.h"
#include "object/namespace/user.h"
#include "session/loss.h"
#include "session/survey.h"
#include "session/pids.h"

static int open_owner(const struct namespace *ns, int *ret, ino_t *ret_inode)
{
	char path[32];
	AUTO_CLOSE int own = -1;
	struct stat st;

	*ret = -1;
	*ret_inode = 0;
	snprintf(path, sizeof(path), "ns/%s", ns->kind->name);
	if (ns->task)
		own = openat(ns->task->dump->proc, path, O_RDONLY | O_CLOEXEC);
	if (ns->task && own < 0)
		return fail_errno("opening %s", path);
	*ret = ioctl(ns->task ? own : ns->fd, NS_GET_USERNS);
	if (*ret < 0 && errno == EPERM)
		return 0; /* one above ours */
	if (*ret < 0 || fstat(*ret, &st) < 0)
		return fail_errno("asking which user namespace owns %s", path);
	*ret_inode = st.st_ino;
	return 0;
}

static struct namespace *find_user(const struct dump *d, ino_t inode)
{
	struct namespace *ns;

	for_each_namespace(ns, dump_namespaces(d))
		if (ns->kind->flag == CLONE_NEWUSER && ns->inode == inode)
			return ns;
	return NULL;
}

/* A process of ours goes there: the kernel shows the maps of a process only. */
static int read_empty(const struct dump *d, struct namespace *ns, struct broker **broker)
{
	AUTO_FREE char *path = NULL;
	AUTO_CLOSE int proc = -1;

	TRY(broker_begin(d->pool, NULL, broker));
	TRY(broker_enter(*broker, ns->fd));
	path = xprintf("/proc/%d", broker_pid(*broker));
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return proc < 0 ? fail_errno("opening %s", path) : user_read(d, ns, proc);
}

/* No task of the tree lives in it. Takes the descriptor. */
static int add_empty(const struct dump *d, ino_t inode, int *fd, struct namespace **ret)
{
	struct namespace *ns = namespaces_dump_add(d, namespace_kind_find(CLONE_NEWUSER), inode);
	struct broker *broker = NULL;
	int error;

	ns->fd = TAKE_FD(*fd);
	*ret = ns;
	error = read_empty(d, ns, &broker);
	broker_end(&broker);
	TRY(error);
	if (!d->inventory->user_ns_ids)
		d->inventory->user_ns_ids = pool_array(d->pool, uint32_t, USERS_MAX);
	if (d->inventory->n_user_ns_ids == USERS_MAX)
		return refuse(EOPNOTSUPP, "more than %d user namespaces in which nobody lives", USERS_MAX);
	d->inventory->user_ns_ids[d->inventory->n_user_ns_ids++] = ns->id;
	return 0;
}

int user_keep(const struct dump *d, ino_t inode, int *fd, struct namespace **ret)
{
	TRY(add_empty(d, inode, fd, ret));
	return user_find_owner(d, *ret);
}

static int refuse_owner(const struct namespace *ns)
{
	if (ns->kept)
		return refuse(EOPNOTSUPP,
			      "%s namespace [%lu], in which no task lives, belongs to a user namespace that is none of "
			      "the tree: that cannot be checkpointed yet",
			      ns->kind->name, ns->inode);
	if (!ns->task)
		return refuse(EOPNOTSUPP,
			      "user namespace %lu, which owns something of the tree, does not lie within that of the "
			      "root of the tree: that cannot be checkpointed yet",
			      ns->inode);
	return refuse(EOPNOTSUPP,
		      "task %d (%s): its %s namespace does not belong to its user namespace: that cannot be "
		      "checkpointed yet",
		      ns->task->pid, ns->task->comm, ns->kind->name);
}

static bool is_within(const struct namespace *ns, const struct namespace *around)
{
	while (ns && ns != around)
		ns = ns->owner;
	return ns;
}

/* The first process of a pid namespace is born into it by somebody who lives in that user namespace. */
static int check_first(const struct dump *d, const struct namespace *ns)
{
	const struct pid_space *space = ns->task->pid_space;
	const struct task *first = space ? space->first : NULL;

	if (first && task_is_live(first) &&
	    is_within(namespace_of(dump_namespaces(d), first, namespace_kind_find(CLONE_NEWUSER)), ns->owner))
		return 0;
	return refuse(EOPNOTSUPP,
		      "task %d (%s): its pid namespace belongs to a user namespace in which the first process of it "
		      "does not live: that cannot be checkpointed yet",
		      ns->task->pid, ns->task->comm);
}

/* The user namespace that one is made again in. */
static void note_owner(const struct dump *d, struct namespace *ns, struct namespace *owner)
{
	UsernsEntry *entry = owner->data;
	uint32_t *owns = pool_array(d->pool, uint32_t, entry->n_owns + 1);

	if (entry->n_owns)
		memcpy(owns, entry->owns, entry->n_owns * sizeof(*owns));
	owns[entry->n_owns++] = ns->id;
	entry->owns = owns;
	ns->owner = owner;
}

int user_find_owner(const struct dump *d, struct namespace *ns)
{
	struct namespace *root = namespace_of(dump_namespaces(d), d->tree->root, namespace_kind_find(CLONE_NEWUSER));
	struct namespace *owner;
	AUTO_CLOSE int fd = -1;
	ino_t inode;

	if (!ns->of_root && !ns->kind->nested)
		return 0; /* it was refused when it was found */
	TRY(open_owner(ns, &fd, &inode));
	owner = find_user(d, inode);
	if (!root || owner == root || (root->own && !owner && (!inode || ns->of_root)))
		return 0;
	if (!owner && inode && !ns->of_root)
		TRY(add_empty(d, inode, &fd, &owner));
	if (!owner || owner->own || owner->of_root)
		return refuse_owner(ns);
	note_owner(d, ns, owner);
	return 0;
}

static bool has_owner(const struct namespace *ns)
{
	return !ns->own && !ns->kept && !(ns->of_root && ns->kind->flag == CLONE_NEWUSER);
}

int user_collect_owners(const struct dump *d)
{
	struct namespace *ns;

	/* Those in which nobody lives join the list meanwhile. */
	for_each_namespace(ns, dump_namespaces(d))
		if (has_owner(ns))
			TRY(dump_go_on(d, user_find_owner(d, ns)));
	for_each_namespace(ns, dump_namespaces(d))
		if (ns->owner && ns->task && ns->kind->flag == CLONE_NEWPID)
			TRY(dump_go_on(d, check_first(d, ns)));
	return 0;
}

/* Between ours and that of the root nobody lives: it is restored without what lay there. */
int user_tell_between(const struct dump *d, const struct namespace *ns)
{
	AUTO_CLOSE int fd = -1;
	struct stat own;
	ino_t around;

	TRY(open_owner(ns, &fd, &around));
	if (stat("/proc/self/ns/user", &own) < 0)
		return fail_errno("looking at our user namespace");
	if (around != own.st_ino)
		dump_report_loss(d, "the user namespace around that of the root of the tree: the restored one lies "
				    "within that of criu");
	return 0;
}
