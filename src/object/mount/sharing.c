/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Propagation: peer groups ("shared") and their slaves. All mounts are private at first. The member of a group with the
 * widest root is made the first one, the others join it by MOVE_MOUNT_SET_GROUP (5.15). Masters before their slaves; a
 * group may have members in several namespaces. Where none shows all that the others show (directories of a mount that
 * is gone), a mount of the whole file system, attached nowhere, is the first one until the others have joined.
 */
#include "object/mount/sharing.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "kern/mountapi.h"
#include "object/mount/attach.h"
#include "object/mount/mount-set.h"
#include "object/mount/outside.h"
#include "object/mount/restore.h"
#include "object/mount/tree.h"

/* Its peers are those of what it is cloned from, outside. We say always where they are, other dumpers if they are
 * inside. */
static bool has_peers_outside(const MntEntry *entry)
{
	if (!entry->shared_id || entry->internal_sharing)
		return false;
	return entry->has_internal_sharing || (!entry->master_id && (entry->ext_key || entry->ext_mount));
}

/* The member of a peer group of which all others show a part; NULL if the group is outside. */
static struct mount *find_first(const struct mount_set *set, uint32_t group)
{
	struct mount *m, *first = NULL;

	for (size_t i = 0; group && i < set->whole.n; i++)
		if (set->whole.items[i]->entry->shared_id == group)
			return set->whole.items[i];
	for_each_mount(m, set)
		if (group && m->entry->shared_id == group && !has_peers_outside(m->entry) &&
		    (!first || strlen(m->entry->root) < strlen(first->entry->root)))
			first = m;
	return first;
}

/* All of the group, and what hears of it, are of a file system that we make ourselves before anything is attached. */
static bool can_be_whole(const struct mount_set *set, const struct mount *first)
{
	const struct mount *master = find_first(set, first->entry->master_id);
	uint32_t group = first->entry->shared_id;
	struct mount *m;

	if (!first->super || !first->super->widest || (master && strcmp(master->entry->root, "/") != 0))
		return false;
	for_each_mount(m, set)
		if ((m->entry->shared_id == group || m->entry->master_id == group) &&
		    (m->entry->root_dev != first->entry->root_dev || m->entry->with_plugin || mount_is_outside(m) ||
		     mount_is_late(m)))
			return false;
	return true;
}

static bool shows_all(const struct mount_set *set, const struct mount *first)
{
	uint32_t group = first->entry->shared_id;
	struct mount *m;

	for_each_mount(m, set)
		if ((m->entry->shared_id == group || m->entry->master_id == group) &&
		    !path_below(m->entry->root, first->entry->root))
			return false;
	return true;
}

static void add_whole(struct mount_set *set, struct pool *pool, const struct mount *first)
{
	struct mount *whole = pool_new(pool, struct mount);
	MntEntry *entry = whole->entry = pool_new(pool, MntEntry);

	mnt_entry__init(entry);
	entry->root = pool_string(pool, "/");
	entry->mountpoint = first->entry->mountpoint;
	entry->root_dev = first->entry->root_dev;
	entry->shared_id = first->entry->shared_id;
	entry->master_id = first->entry->master_id;
	whole->space = first->space;
	whole->super = first->super;
	whole->fd = whole->outside = -1;
	*vector_push(&set->whole) = whole;
}

static int check_group(const struct mount_set *set, const struct mount *mount)
{
	const struct mount *first = find_first(set, mount->entry->shared_id),
			   *master = find_first(set, mount->entry->master_id);
	char name[96];

	if (has_peers_outside(mount->entry))
		return 0;
	if (first && !path_below(mount->entry->root, first->entry->root))
		return refuse(EOPNOTSUPP,
			      "%s is in a peer group with %s, but they show different parts of their file system: such "
			      "a group cannot be "
			      "made again, use mount --make-private",
			      mount_name(mount, name), first->entry->mountpoint);
	if (first &&
	    (first->entry->root_dev != mount->entry->root_dev || first->entry->master_id != mount->entry->master_id))
		return refuse(EINVAL,
			      "%s is in a peer group with %s, which has another file system or master: that cannot be",
			      mount_name(mount, name), first->entry->mountpoint);
	if (master &&
	    (!path_below(mount->entry->root, master->entry->root) || master->entry->root_dev != mount->entry->root_dev))
		return refuse(
			EOPNOTSUPP,
			"%s is a slave of %s, which does not show all of it: that cannot be made again, use mount "
			"--make-private",
			mount_name(mount, name), master->entry->mountpoint);
	return 0;
}

/* A group must not be its own master. */
static int check_masters(const struct mount_set *set, const struct mount *mount, unsigned depth)
{
	const struct mount *master = find_first(set, mount->entry->master_id);

	if (!master)
		return 0;
	if (depth > set->n_mounts)
		return refuse(EINVAL, "the masters of mount %u go round in a circle", mount->entry->mnt_id);
	return check_masters(set, master, depth + 1);
}

int sharing_check(struct mount_set *set, struct pool *pool)
{
	struct mount *m;

	for_each_mount(m, set) {
		const struct mount *first = find_first(set, m->entry->shared_id);

		if (first == m && !shows_all(set, first) && can_be_whole(set, first))
			add_whole(set, pool, first);
	}
	for_each_mount(m, set) {
		TRY(check_group(set, m));
		TRY(check_masters(set, m, 0));
	}
	return 0;
}

/* --- restore: in a process of our own (namespace_run) --- */

int sharing_prepare(const struct mount_set *set)
{
	for (size_t i = 0; i < set->whole.n; i++) {
		struct mount *whole = set->whole.items[i];

		whole->fd = mountapi_clone(whole->super->fd, "");
		if (whole->fd < 0)
			return fail(-whole->fd, "cloning the file system of %s", whole->entry->mountpoint);
	}
	return 0;
}

void sharing_done(struct mount_set *set)
{
	for (size_t i = 0; i < set->whole.n; i++)
		auto_close(&set->whole.items[i]->fd);
	vector_done(&set->whole);
}

/* Propagation can only be changed from within the namespace of the mount. */
static int set_type(struct mount_set *set, struct mount *mount, unsigned long type)
{
	int error;

	TRY(space_enter(set, mount->space));
	error = mountapi_set_propagation(mount->fd, type);
	return error < 0 ? fail(-error, "setting the propagation of %s", mount->entry->mountpoint) : 0;
}

static int join_peers(struct mount_set *set, struct mount *mount, const struct mount *first)
{
	int error;

	TRY(space_enter(set, mount->space));
	error = mountapi_set_group(first->fd, mount->fd);
	return error < 0 ? fail(-error, "bringing %s into the peer group of %s", mount->entry->mountpoint,
				first->entry->mountpoint)
			 : 0;
}

static int make_first(struct mount_set *set, struct mount *mount);

static int set_one(struct mount_set *set, struct mount *mount)
{
	struct mount *first = find_first(set, mount->entry->shared_id);

	if (mount->shared_set || mount->left_out || mount->entry->detached)
		return 0;
	if (!first || first == mount || has_peers_outside(mount->entry))
		return make_first(set, mount);
	TRY(set_one(set, first));
	mount->shared_set = true;
	return join_peers(set, mount, first);
}

bool sharing_is_outside(const struct mount_set *set, const struct mount *mount)
{
	const MntEntry *entry = mount->entry;

	return has_peers_outside(entry) || (entry->master_id && !find_first(set, entry->master_id));
}

/* What it was cloned from may have been shared then, and is not any more. */
static int join_outside(struct mount_set *set, const struct mount *mount)
{
	int error;

	if (has_peers_outside(mount->entry) && outside_is_covered(mount))
		log_warn("%s is no more in the peer group of what is mounted outside, which lies below other mounts: "
			 "it hears of it, but tells nothing",
			 mount->entry->mountpoint);
	TRY(space_enter(set, mount->space));
	error = mount->outside < 0 ? -EINVAL : mountapi_set_group(mount->outside, mount->fd);
	if (error == -EINVAL)
		log_warn("%s was %s what is mounted outside, but that is not shared any more: it hears nothing of it "
			 "from now on",
			 mount->entry->mountpoint,
			 has_peers_outside(mount->entry) ? "in the peer group of" : "a slave of");
	else if (error < 0)
		return fail(-error, "bringing %s into the peer group of what it comes from", mount->entry->mountpoint);
	return 0;
}

/* The first of a group, or a mount that has no peers. */
static int make_first(struct mount_set *set, struct mount *mount)
{
	const MntEntry *entry = mount->entry;
	struct mount *master = find_first(set, entry->master_id);

	mount->shared_set = true;
	if (master) {
		TRY(set_one(set, master));
		TRY(join_peers(set, mount, master));
	}
	if (sharing_is_outside(set, mount))
		TRY(join_outside(set, mount));
	if (has_peers_outside(entry))
		return set_type(set, mount, MS_SHARED);
	if (entry->master_id)
		TRY(set_type(set, mount, MS_SLAVE));
	else
		TRY(set_type(set, mount, entry->flags & MS_UNBINDABLE ? MS_UNBINDABLE : MS_PRIVATE));
	return entry->shared_id ? set_type(set, mount, MS_SHARED) : 0;
}

int sharing_make(struct mount_set *set)
{
	struct mount *m;

	for_each_mount(m, set)
		TRY(set_one(set, m));
	return 0;
}
