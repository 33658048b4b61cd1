/* SPDX-License-Identifier: GPL-2.0-only */
/* The tree of mounts of each namespace. */
#include "object/mount/tree.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/table.h"
#include "base/text.h"
#include "image/image.h"
#include "object/mount/mount-set.h"
#include "object/mount/external.h"
#include "object/mount/fs/fs.h"
#include "object/mount/sharing.h"
#include "session/session.h"

struct mount_space *space_add(struct mount_set *set, struct pool *pool, uint32_t id)
{
	struct mount_space *space = pool_new(pool, struct mount_space);

	space->id = id;
	space->set = set;
	space->ns = space->root_fd = -1;
	*vector_push(&set->spaces) = space;
	return space;
}

struct mount_space *space_find(const struct mount_set *set, uint32_t id)
{
	for (size_t i = 0; set && i < set->spaces.n; i++)
		if (set->spaces.items[i]->id == id)
			return set->spaces.items[i];
	return NULL;
}

struct mount *mount_add(struct mount_set *set, struct mount_space *space, struct pool *pool, MntEntry *entry)
{
	struct mount *mount = pool_new(pool, struct mount);

	if (!set->by_id)
		set->by_id = table_create();
	mount->entry = entry;
	mount->space = space;
	mount->fd = mount->detached = mount->outside = mount->removed_fd = mount->removed_dir = -1;
	list_init(&mount->children);
	list_init(&mount->sibling);
	if (table_set(set->by_id, entry->mnt_id, mount))
		return NULL;
	*vector_push(&space->mounts) = mount;
	set->n_mounts++;
	return mount;
}

const char *path_below(const char *path, const char *above)
{
	const char *rest = text_after(path, above);

	if (!rest || (strcmp(above, "/") != 0 && *rest && *rest != '/'))
		return NULL;
	return rest + strspn(rest, "/");
}

const char *mount_relative_point(const struct mount *mount)
{
	return path_below(mount->entry->mountpoint, mount->parent->entry->mountpoint);
}

bool mount_hangs_on(const struct mount *mount, const struct mount *above)
{
	while (mount && mount != above)
		mount = mount->parent;
	return mount == above;
}

const char *mount_name(const struct mount *mount, char to[96])
{
	snprintf(to, 96, "mount %u on %.70s", mount->entry->mnt_id, mount->entry->mountpoint);
	return to;
}

bool mount_is_of_root(const struct mount *mount)
{
	const MntEntry *root = mount->space->root->entry;

	return mount->entry->root_dev == root->root_dev && path_below(mount->entry->root, root->root);
}

bool mount_is_external(const struct mount *mount)
{
	const MntEntry *entry = mount->entry;

	return entry->ext_mount || (entry->ext_key && strcmp(entry->ext_key, EXTERNAL_DEVICE) != 0);
}

static bool is_part_of(const struct mount *mount, const struct mount *other)
{
	return other != mount && other->entry->root_dev == mount->entry->root_dev &&
	       path_below(mount->entry->root, other->entry->root);
}

static const struct mount *find_external_in(const struct mount_space *space, const struct mount *mount)
{
	for (size_t i = 0; i < space->mounts.n; i++) {
		const struct mount *other = space->mounts.items[i];

		if (mount_is_external(other) && !other->entry->ext_mount && is_part_of(mount, other))
			return other;
	}
	return NULL;
}

/*
 * A container in a container shows parts of its engine's volumes and of its engine's root. Those namespaces are known
 * that were looked at before: that of the root task is the first. File systems of the kernel can be made again here.
 */
static const struct mount *find_external_elsewhere(const struct mount *mount)
{
	const struct mount_set *set = mount->space->set;

	if (mount->fs && mount->fs->anew)
		return NULL;
	for (size_t i = 0; i < set->spaces.n && set->spaces.items[i] != mount->space; i++) {
		const struct mount_space *space = set->spaces.items[i];
		const struct mount *found = find_external_in(space, mount);

		if (!found && space->root && space->root->from_root && is_part_of(mount, space->root))
			found = space->root;
		if (found)
			return found;
	}
	return NULL;
}

const struct mount *mount_find_external_above(const struct mount *mount)
{
	return find_external_in(mount->space, mount) ?: find_external_elsewhere(mount);
}

const struct mount *mount_find_made_elsewhere(const struct mount *mount)
{
	const struct mount_set *set = mount->space->set;

	for (size_t i = 0; i < set->spaces.n && set->spaces.items[i] != mount->space; i++) {
		const struct mount_space *space = set->spaces.items[i];

		for (size_t n = 0; n < space->mounts.n; n++) {
			const struct mount *other = space->mounts.items[n];

			if (is_part_of(mount, other) && !other->from_root && !mount_is_external(other) &&
			    !other->entry->with_plugin && !other->entry->deleted && !other->entry->detached &&
			    !mount_find_external_above(other))
				return other;
		}
	}
	return NULL;
}

/*
 * Whoever has the longer path is attached first: a mount on /a would hide the directory that another one on /a/b of the
 * same parent is to be attached to.
 */
void mount_add_child(struct mount *parent, struct mount *child)
{
	size_t length = strlen(child->entry->mountpoint);
	struct list *before = &parent->children;
	struct mount *other;

	child->parent = parent;
	list_for_each(other, &parent->children, sibling) {
		size_t theirs = strlen(other->entry->mountpoint);

		if (theirs < length || (theirs == length && other->place > child->place)) {
			before = &other->sibling;
			break;
		}
	}
	list_push(before, &child->sibling); /* in front of it */
}

static struct superblock *get_super(struct mount_set *set, struct pool *pool, uint32_t dev)
{
	struct superblock *super = set->supers;

	while (super && super->dev != dev)
		super = super->next;
	if (super)
		return super;
	super = pool_new(pool, struct superblock);
	super->dev = dev;
	super->fd = super->files_fd = super->server = -1;
	super->next = set->supers;
	set->supers = super;
	return super;
}

/* It shows more, or the true owners. */
static bool is_better(const struct mount *mount, const struct mount *widest)
{
	size_t length = strlen(mount->entry->root), other = widest ? strlen(widest->entry->root) : 0;

	return !widest || length < other || (length == other && widest->entry->id_users && !mount->entry->id_users);
}

void mount_count_super(struct mount_set *set, struct mount *m, struct pool *pool)
{
	struct superblock *super = m->super = get_super(set, pool, m->entry->root_dev);

	if (mount_is_external(m) || m->entry->with_plugin || m->entry->deleted || m->from_root || m->entry->has_space ||
	    mount_find_external_above(m))
		return;
	if (is_better(m, super->widest))
		super->widest = m;
}

void space_count_supers(struct mount_set *set, struct mount_space *space, struct pool *pool)
{
	for (struct mount *m = space->root; m; m = mount_next(m))
		mount_count_super(set, m, pool);
}

struct mount *mount_next(const struct mount *mount)
{
	if (!list_empty(&mount->children))
		return list_entry(mount->children.next, struct mount, sibling);
	while (mount->parent && mount->sibling.next == &mount->parent->children)
		mount = mount->parent;
	return mount->parent ? list_entry(mount->sibling.next, struct mount, sibling) : NULL;
}

int space_link(struct mount_set *set, struct mount_space *space, const char *what)
{
	unsigned n = 0;

	for (size_t i = 0; i < space->mounts.n; i++) {
		struct mount *mount = space->mounts.items[i],
			     *parent = table_find(set->by_id, mount->entry->parent_mnt_id);

		if (parent && parent != mount && parent->space == space) {
			mount_add_child(parent, mount);
			if (!mount_relative_point(mount))
				return refuse(EINVAL, "%s: %s is not below %s, where its parent is mounted", what,
					      mount->entry->mountpoint, parent->entry->mountpoint);
		} else if (space->root) {
			return refuse(EINVAL, "%s: mounts %u and %u both have no parent", what,
				      space->root->entry->mnt_id, mount->entry->mnt_id);
		} else {
			space->root = mount;
		}
	}
	for (struct mount *m = space->root; m; m = mount_next(m))
		n++;
	if (!n || n != space->mounts.n)
		return refuse(EINVAL, "%s: its mounts are no tree", what);
	return 0;
}

static void destroy_set(void *state)
{
	struct mount_set *set = state;

	for (size_t i = 0; i < set->spaces.n; i++) {
		struct mount_space *space = set->spaces.items[i];

		for (size_t j = 0; j < space->mounts.n; j++) {
			auto_close(&space->mounts.items[j]->fd);
			auto_close(&space->mounts.items[j]->detached);
			auto_close(&space->mounts.items[j]->outside);
			auto_close(&space->mounts.items[j]->removed_fd);
			image_close(&space->mounts.items[j]->removed_image);
		}
		auto_close(&space->ns);
		auto_close(&space->root_fd);
		vector_done(&space->mounts);
		proc_mounts_done(&space->seen);
		vector_done(&space->removed);
	}
	for (struct superblock *super = set->supers; super; super = super->next) {
		auto_close(&super->fd);
		auto_close(&super->files_fd);
		auto_close(&super->server);
	}
	sharing_done(set);
	for (size_t i = 0; i < set->kept.n; i++)
		close(set->kept.items[i]);
	vector_done(&set->kept);
	vector_done(&set->inode_flags);
	vector_done(&set->spaces);
	proc_mounts_done(&set->own);
	table_destroy(&set->by_id);
}

const struct state_type mount_state = { sizeof(struct mount_set), destroy_set };

struct mount_set *dump_mounts(const struct dump *d)
{
	return state_find(d->states, &mount_state);
}

struct mount_set *restore_mounts(const struct restore *r)
{
	return state_find(r->states, &mount_state);
}
