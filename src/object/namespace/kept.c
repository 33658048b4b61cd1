/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Namespaces in which no task of the tree lives: a mounted file (`ip netns add`, unshare --net=FILE) or a descriptor
 * keeps them. They are saved like the others, through a descriptor of criu. What outlives the tree outside is not
 * saved, but opened again where it is mounted there.
 */
#include "object/namespace/kept.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/table.h"
#include "base/text.h"
#include "image/inventory.h"
#include "kern/proc/mountinfo.h"
#include "kern/proc/proc.h"
#include "kern/proc/running.h"
#include "object/namespace/namespace.h"
#include "object/namespace/user-owners.h"
#include "session/given.h"
#include "session/needs.h"
#include "session/survey.h"

#define KEPT_MAX 4096

/* --- dump --- */

struct namespace *namespace_find_kept(const struct dump *d, const struct namespace_kind *kind, ino_t inode)
{
	struct namespace *ns;

	for_each_namespace(ns, dump_namespaces(d))
		if (ns->kind == kind && ns->inode == inode && inode)
			return ns;
	return NULL;
}

/* A process that is none of the tree. */
static pid_t find_inhabitant(const struct namespace_kind *kind, ino_t inode)
{
	AUTO_CLOSEDIR DIR *list = opendir("/proc");
	const struct dirent *entry;
	char path[300];
	ino_t other;

	while (list && (entry = readdir(list))) {
		if (!isdigit(entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "%s/ns/%s", entry->d_name, kind->name);
		if (proc_namespace(dirfd(list), path, &other) == 0 && other == inode)
			return atoi(entry->d_name);
	}
	return 0;
}

/* Where it is mounted in our own namespace; NULL: nowhere. */
static int find_outside(const struct dump *d, const struct namespace_kind *kind, ino_t inode, const char **ret)
{
	AUTO(proc_mounts_done) struct proc_mounts mounts = { 0 };
	AUTO_CLOSE int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FREE char *root = xprintf("%s:[%lu]", kind->name, inode);

	*ret = NULL;
	if (proc < 0)
		return fail_errno("opening /proc/self");
	TRY(proc_mounts_read(proc, d->pool, &mounts));
	for (size_t i = 0; i < mounts.n; i++)
		if (strcmp(mounts.items[i].fs_type, "nsfs") == 0 && strcmp(mounts.items[i].root, root) == 0)
			*ret = mounts.items[i].mountpoint;
	return 0;
}

static bool is_named_external(const struct dump *d, const struct namespace_kind *kind, ino_t inode)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", inode);
	return kind->flag == CLONE_NEWNET && given_external(d->options, kind->name, text);
}

static const char *find_obstacle(const struct dump *d, const struct namespace_kind *kind, ino_t inode)
{
	pid_t pid;

	if (!kind->keepable)
		return pool_printf(d->pool,
				   "no task of the tree lives in this %s namespace, and what is only kept "
				   "by its file is not saved for this kind",
				   kind->name);
	pid = find_inhabitant(kind, inode);
	if (pid)
		return pool_printf(d->pool,
				   "it is a %s namespace [%lu] in which process %d lives, which is not in the tree%s",
				   kind->name, inode, pid,
				   kind->flag == CLONE_NEWNET ? " (--external net[INODE]:NAME gives it again)" : "");
	return NULL;
}

static void note_kept(const struct dump *d, const struct namespace *ns, const char *outside)
{
	KeptNsEntry *entry = pool_new(d->pool, KeptNsEntry);

	kept_ns_entry__init(entry);
	entry->kind = ns->kind->flag;
	entry->id = ns->id;
	entry->path = (char *)outside;
	if (!d->inventory->kept_ns)
		d->inventory->kept_ns = pool_array(d->pool, KeptNsEntry *, KEPT_MAX);
	d->inventory->kept_ns[d->inventory->n_kept_ns++] = entry;
}

static int add_kept(const struct dump *d, const struct namespace_kind *kind, ino_t inode, const char *outside, int *fd,
		    struct namespace **ret)
{
	struct namespace *ns;

	if (d->inventory->n_kept_ns == KEPT_MAX)
		return refuse(EOPNOTSUPP, "more than %d namespaces in which no task lives", KEPT_MAX);
	if (kind->flag == CLONE_NEWUSER && !outside)
		return user_keep(d, inode, fd, ret);
	*ret = ns = namespaces_dump_add(d, kind, inode);
	ns->fd = TAKE_FD(*fd);
	ns->kept = true;
	ns->joined = outside;
	dump_namespaces(d)->any = true;
	note_kept(d, ns, outside);
	log_info("%s namespace %u is [%lu], in which no task lives", kind->name, ns->id, inode);
	return outside ? 0 : user_find_owner(d, ns);
}

int namespace_keep(const struct dump *d, int *fd, struct namespace **ret, const char **ret_why)
{
	const struct namespace_kind *kind;
	const char *outside = NULL;
	int type = ioctl(*fd, NS_GET_NSTYPE);
	struct stat st;

	*ret_why = NULL;
	if (type < 0 || fstat(*fd, &st) < 0)
		return fail_errno("looking at a namespace");
	kind = namespace_kind_find((uint32_t)type);
	if (!kind)
		return refuse(EOPNOTSUPP, "a namespace of an unknown kind");
	*ret = namespace_find_kept(d, kind, st.st_ino);
	if (*ret)
		return 0;
	if (!is_named_external(d, kind, st.st_ino)) {
		TRY(find_outside(d, kind, st.st_ino, &outside));
		*ret_why = outside ? NULL : find_obstacle(d, kind, st.st_ino);
	}
	return *ret_why ? -EOPNOTSUPP : add_kept(d, kind, st.st_ino, outside, fd, ret);
}

const char *namespace_why_lost(const struct dump *d, int fd)
{
	const struct namespace_kind *kind = namespace_kind_find((uint32_t)ioctl(fd, NS_GET_NSTYPE));
	const char *why = NULL;
	struct stat st;

	if (kind && fstat(fd, &st) == 0)
		why = find_obstacle(d, kind, st.st_ino);
	return why ?: "no task of the tree lives in this namespace, and no descriptor of a task keeps it";
}

struct kept_search {
	const struct dump *d;
	dev_t nsfs;
	int error;
};

static bool is_namespace(void *arg, const struct running_descriptor *one)
{
	return one->dev == ((const struct kept_search *)arg)->nsfs;
}

/* What cannot be saved is refused when the file itself is looked at. */
static bool look_at(void *arg, const struct running_descriptor *one)
{
	struct kept_search *search = arg;
	struct namespace *ns;
	AUTO_CLOSE int fd = -1;
	const char *why;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", one->fd); /* it may be an O_PATH descriptor */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	LOG_SCOPE("fd %d", one->number);
	search->error = namespace_keep(search->d, &fd, &ns, &why);
	search->error = why ? 0 : dump_go_on(search->d, search->error);
	return search->error < 0;
}

int namespaces_find_kept(const struct dump *d)
{
	struct kept_search search = { .d = d, .nsfs = dump_namespaces(d)->nsfs };
	struct table *seen;
	struct task *task;

	seen = table_create();
	for_each_task(task, d->tree) {
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		if (search.error < 0 || !task_is_live(task) || table_set(seen, task->ids->files_id, task))
			continue;
		running_visit_still(task->pid, task->dump->proc, &dump_namespaces(d)->still,
				    &(struct running_visitor){ d->file_iter, is_namespace, look_at, &search });
	}
	table_destroy(&seen);
	return search.error;
}

/* --- restore --- */

static int add_one(const struct restore *r, const KeptNsEntry *entry)
{
	const struct namespace_kind *kind = namespace_kind_find(entry->kind);
	struct namespace *ns;

	if (!kind || (!kind->keepable && !entry->path))
		return refuse(EINVAL, "inventory.img: a namespace of kind 0x%x in which nobody lives", entry->kind);
	if (namespace_restore_has(r, kind, entry->id))
		return refuse(EINVAL, "%s namespace %u is told twice: the images are damaged", kind->name, entry->id);
	ns = pool_new(r->pool, struct namespace);
	ns->kind = kind;
	ns->id = entry->id;
	ns->kept = true;
	ns->joined = entry->path;
	ns->fd = -1;
	*vector_push(&restore_namespaces(r)->list) = ns;
	restore_namespaces(r)->any = true;
	return 0;
}

int namespaces_restore_kept(const struct restore *r)
{
	for (size_t i = 0; i < r->inventory->n_kept_ns; i++)
		TRY(add_one(r, r->inventory->kept_ns[i]));
	return 0;
}

static struct namespace *find_restored(const struct restore *r, const struct namespace_kind *kind, uint32_t id)
{
	struct namespace *ns;

	for_each_namespace(ns, restore_namespaces(r))
		if (ns->kind == kind && ns->id == id)
			return ns;
	return NULL;
}

void namespaces_need_kept(const struct restore *r)
{
	for (size_t i = 0; i < r->inventory->n_kept_ns; i++) {
		const KeptNsEntry *entry = r->inventory->kept_ns[i];

		if (entry->path)
			(void)needs_add(r, NEED_FILE, entry->path, "it keeps a namespace that was not saved");
	}
}

static int open_outside(struct namespace *ns, const char *path)
{
	AUTO_CLOSE int file = open(path, O_PATH | O_CLOEXEC);
	char again[64];
	struct statfs st;
	int type = -1;

	if (file < 0 || fstatfs(file, &st) < 0)
		return fail_errno("opening %s, which kept a %s namespace outside of the tree", path, ns->kind->name);
	snprintf(again, sizeof(again), "/proc/self/fd/%d", file);
	if (st.f_type == NSFS_MAGIC) {
		ns->fd = open(again, O_RDONLY | O_CLOEXEC);
		type = ioctl(ns->fd, NS_GET_NSTYPE);
	}
	if (type >= 0 && (uint32_t)type == ns->kind->flag)
		return 0;
	return refuse(EINVAL, "%s, which kept a %s namespace outside of the tree, is no such namespace", path,
		      ns->kind->name);
}

int namespaces_open_kept(struct restore *r)
{
	for (size_t i = 0; i < r->inventory->n_kept_ns; i++) {
		const KeptNsEntry *entry = r->inventory->kept_ns[i];

		if (entry->path)
			TRY(open_outside(find_restored(r, namespace_kind_find(entry->kind), entry->id), entry->path));
	}
	return 0;
}

static bool is_of_criu(const struct restore *r, const struct namespace_kind *kind, uint32_t id)
{
	const TaskKobjIdsEntry *ids = r->inventory->root_ids;

	return ids && *(const protobuf_c_boolean *)((const char *)ids + kind->has_id) &&
	       *(const uint32_t *)((const char *)ids + kind->id) == id;
}

bool namespace_restore_has(const struct restore *r, const struct namespace_kind *kind, uint32_t id)
{
	return find_restored(r, kind, id) || is_of_criu(r, kind, id);
}

/* A new description: the file has flags of its own. */
int namespace_restore_open(const struct restore *r, const struct namespace_kind *kind, uint32_t id)
{
	const struct namespace *ns = find_restored(r, kind, id);
	AUTO_FREE char *path = NULL;
	int dir = ns && ns->task && ns->fd < 0 && !ns->own ? ns->task->restore->proc : AT_FDCWD, fd;

	if (ns && ns->fd >= 0)
		path = xprintf("/proc/self/fd/%d", ns->fd);
	else if (ns ? ns->own : is_of_criu(r, kind, id))
		path = xprintf("/proc/self/ns/%s", kind->name);
	else if (ns && ns->task)
		path = xprintf("ns/%s", kind->name);
	else
		return refuse(EINVAL, "there is no %s namespace %u", kind->name, id);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? fail_errno("opening %s namespace %u", kind->name, id) : fd;
}
