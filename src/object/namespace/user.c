/* SPDX-License-Identifier: GPL-2.0-only */
/* User namespaces: their maps of ids, who owns them, and which of the other namespaces belong to them. The ids of tasks
 * and files are translated by session/ids.h. */
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
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "image/record.h"
#include "object/namespace/namespace.h"
#include "object/namespace/user.h"
#include "object/namespace/user-join.h"
#include "object/namespace/user-owners.h"
#include "object/namespace/user-restore.h"
#include "session/ids.h"
#include "session/loss.h"
#include "session/needs.h"
#include "session/pids.h"
#include "session/survey.h"

extern const struct namespace_kind user_kind;

#define MAP_SIZE    16384 /* the kernel takes up to 340 lines, and less than 4096 bytes at once */
#define EXTENTS_MAX 340

/* --- dump --- */

static int read_map(struct pool *pool, int proc, const char *name, size_t *ret_n, UidGidExtent ***ret)
{
	AUTO_FREE char *text = xmalloc(MAP_SIZE);
	char *rest = text, *line;
	ssize_t size = file_read_text(proc, name, text, MAP_SIZE);

	if (size < 0)
		return fail((int)-size, "reading its %s", name);
	*ret = pool_array(pool, UidGidExtent *, EXTENTS_MAX);
	while (*ret_n < EXTENTS_MAX && (line = strsep(&rest, "\n")) && *line) {
		UidGidExtent *extent = pool_new(pool, UidGidExtent);

		uid_gid_extent__init(extent);
		if (sscanf(line, "%u %u %u", &extent->first, &extent->lower_first, &extent->count) != 3)
			return fail(EINVAL, "its %s has the line \"%s\"", name, line);
		(*ret)[(*ret_n)++] = extent;
	}
	return 0;
}

static int read_owner(int fd, uint32_t *ret)
{
	uid_t owner;

	if (fd < 0 || ioctl(fd, NS_GET_OWNER_UID, &owner) < 0)
		return fail_errno("asking who owns its user namespace");
	*ret = owner;
	return 0;
}

/* From our ids to those of the root, around it. */
static int lower_map(const struct id_map *around, UidGidExtent *const *map, size_t n)
{
	for (size_t i = 0; around && i < n; i++) {
		uint32_t first = map[i]->lower_first, last = first + map[i]->count - 1;
		bool found = false;

		for (size_t j = 0; j < around->n && !found; j++) {
			const struct id_extent *range = &around->items[j];

			found = first - range->outer < range->count && last - range->outer < range->count;
			if (found)
				map[i]->lower_first = range->inner + (first - range->outer);
		}
		if (!found)
			return refuse(EOPNOTSUPP,
				      "a range of ids of its user namespace lies in several ranges of that around "
				      "it: that cannot be checkpointed yet");
	}
	return 0;
}

static struct id_map map_of(struct pool *pool, UidGidExtent *const *map, size_t n)
{
	struct id_extent *items = pool_array(pool, struct id_extent, n);

	for (size_t i = 0; i < n; i++)
		items[i] = (struct id_extent){ map[i]->first, map[i]->lower_first, map[i]->count };
	return (struct id_map){ items, n };
}

struct id_maps *user_maps_of(struct pool *pool, const UsernsEntry *entry)
{
	struct id_maps *maps = pool_new(pool, struct id_maps);

	maps->users = map_of(pool, entry->uid_map, entry->n_uid_map);
	maps->groups = map_of(pool, entry->gid_map, entry->n_gid_map);
	maps->setgroups_denied = entry->setgroups_denied;
	return maps;
}

int user_read_maps(struct pool *pool, int proc, UsernsEntry *entry)
{
	char text[16];

	userns_entry__init(entry);
	TRY(read_map(pool, proc, "uid_map", &entry->n_uid_map, &entry->uid_map));
	TRY(read_map(pool, proc, "gid_map", &entry->n_gid_map, &entry->gid_map));
	if (file_read_text(proc, "setgroups", text, sizeof(text)) > 0 && text_starts(text, "deny"))
		entry->has_setgroups_denied = entry->setgroups_denied = true;
	return 0;
}

int user_read(const struct dump *d, struct namespace *ns, int proc)
{
	UsernsEntry *entry = ns->data = pool_new(d->pool, UsernsEntry);
	AUTO_CLOSE int fd = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);

	TRY(user_read_maps(d->pool, proc, entry));
	TRY(read_owner(fd, &entry->owner));
	entry->has_owner = entry->owner != OVERFLOW_ID;
	if (ns->of_root) {
		d->facts->ids = user_maps_of(d->pool, entry);
		return 0;
	}
	entry->owner = dump_inner_uid(d, entry->owner);
	entry->has_owner &= entry->owner != NO_ID;
	TRY(lower_map(d->facts->ids ? &d->facts->ids->users : NULL, entry->uid_map, entry->n_uid_map));
	return lower_map(d->facts->ids ? &d->facts->ids->groups : NULL, entry->gid_map, entry->n_gid_map);
}

static int found_user(const struct dump *d, struct namespace *ns)
{
	return user_read(d, ns, ns->task->dump->proc);
}

static int collect_user(const struct dump *d, struct namespace *ns)
{
	return ns->of_root ? user_tell_between(d, ns) : 0;
}

static int dump_user(struct dump *d, struct namespace *ns)
{
	const UsernsEntry *entry = ns->data;

	return image_write_one(dump_store(d), IMAGE_USERNS, entry, ns->id);
}

/* --- load --- */

static int check_map(const char *name, UidGidExtent *const *map, size_t n)
{
	if (n > EXTENTS_MAX)
		return refuse(EINVAL, "its %s has %zu ranges: the image is damaged", name, n);
	for (size_t i = 0; i < n; i++)
		if (!map[i]->count || map[i]->first + map[i]->count - 1 < map[i]->first ||
		    map[i]->lower_first + map[i]->count - 1 < map[i]->lower_first)
			return refuse(EINVAL, "its %s has a range of %u ids from %u on: the image is damaged", name,
				      map[i]->count, map[i]->first);
	return 0;
}

static int check_outer_ids(const CredsEntry *root)
{
	if (root && root->n_outer_ids && root->n_outer_ids != 8)
		return refuse(EINVAL, "the root task has %zu ids from around it instead of 8: the image is damaged",
			      root->n_outer_ids);
	return 0;
}

void user_choose_groups(const struct restore *r, const UsernsEntry *entry)
{
	const CredsEntry *root = user_creds_of_root(r);

	/* Nobody may change them over there. */
	if (root && (entry->setgroups_denied || !entry->n_gid_map || root->n_outer_groups)) {
		r->facts->groups = root->groups;
		r->facts->n_groups = root->n_groups;
	}
}

/* Who lives there, and what belongs to it. */
static int load_inner(const struct restore *r, struct namespace *ns)
{
	const UsernsEntry *entry = ns->data;
	struct namespace *other;
	struct task *task;

	r->facts->inner_users = true;
	for_each_task(task, r->tree) {
		if (!task_is_live(task) || namespace_of(restore_namespaces(r), task, &user_kind) != ns)
			continue;
		if (!task->leader->core->thread_core->creds)
			return refuse(EINVAL, "core-%d.img has no credentials", task->vpid);
		task->restore->inner_users = true;
	}
	for (size_t i = 0; i < entry->n_owns; i++)
		for_each_namespace(other, restore_namespaces(r))
			if (other->id == entry->owns[i] && !other->own && !other->of_root)
				other->owner = ns;
	return 0;
}

int user_check_nesting(const struct restore *r)
{
	const struct namespace *ns, *around;
	size_t depth;

	for_each_namespace(ns, restore_namespaces(r)) {
		depth = 0;
		for (around = ns; around; around = around->owner)
			if (++depth > restore_namespaces(r)->list.n)
				return refuse(EINVAL, "user namespace %u lies within itself: the images are damaged",
					      ns->id);
	}
	return 0;
}

static int load_user(const struct restore *r, struct namespace *ns)
{
	UsernsEntry *entry;
	int error = image_read_one(r->store, IMAGE_USERNS, &entry, ns->id);

	if (error == -ENOENT)
		return refuse(ENOENT, "userns-%u.img is missing: the checkpoint is not complete", ns->id);
	TRY(error);
	TRY(check_map("uid_map", entry->uid_map, entry->n_uid_map));
	TRY(check_map("gid_map", entry->gid_map, entry->n_gid_map));
	if (geteuid() != 0)
		TRY(need_given(r, NEED_RIGHTS, "root", "the tasks lived in a user namespace",
			       "only root can restore a tree that lived in a user namespace"));
	ns->data = entry;
	if (ns->of_root) {
		TRY(check_outer_ids(user_creds_of_root(r)));
		r->facts->ids = user_maps_of(r->pool, entry);
		user_choose_groups(r, entry);
		return 0;
	}
	return load_inner(r, ns);
}

const struct namespace_kind user_kind = {
	NAMESPACE_KIND("user", CLONE_NEWUSER, user_ns_id),
	.joinable = true,
	.nested = true,
	.keepable = true,
	.found = found_user,
	.collect = collect_user,
	.dump = dump_user,
	.load = load_user,
	.join = user_join,
	.born = user_born,
	.settle = user_settle,
	.clean = user_clean,
};
