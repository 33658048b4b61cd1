/* SPDX-License-Identifier: GPL-2.0-only */
/* Mounts that come from outside: the user names them with --external mnt[...], or lets them be found. */
#include "object/mount/external.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/table.h"
#include "base/text.h"
#include "object/mount/mount-set.h"
#include "object/mount/tree.h"
#include "object/namespace/namespace.h"

/* What --external gives for KIND[KEY], NULL if nothing; "" for KIND[KEY] alone. */
static const char *find_option(const struct options *options, const char *kind, const char *key)
{
	const struct opt_list *list = &options->external;
	size_t length = strlen(key);

	for (size_t i = 0; i < list->n; i++) {
		const char *rest = text_after(list->items[i], kind);

		if (!rest || rest[0] != '[' || strncmp(rest + 1, key, length) != 0 || rest[1 + length] != ']')
			continue;
		rest += length + 2;
		return *rest == ':' ? rest + 1 : rest;
	}
	return NULL;
}

/* --- dump --- */

static const struct proc_mount *find_group(const struct proc_mounts *mounts, int group)
{
	for (size_t i = 0; group && i < mounts->n; i++)
		if (mounts->items[i].shared == group)
			return &mounts->items[i];
	return NULL;
}

static bool shows_same(const struct proc_mount *one, const struct proc_mount *other)
{
	return one->dev == other->dev && strcmp(one->root, other->root) == 0;
}

static bool is_related(const struct proc_mount *mount, const struct proc_mount *ours)
{
	return ours->shared ? mount->shared == ours->shared || mount->master == ours->shared
			    : ours->master && mount->master == ours->master;
}

/* Our own mount of the same at the same place, rather one that it shares with; NULL if there is none. */
static const struct proc_mount *find_original(const struct proc_mounts *own, const struct proc_mount *mount)
{
	const struct proc_mount *found = NULL;

	for (size_t i = own->n; i-- > 0;) {
		const struct proc_mount *ours = &own->items[i];

		if (shows_same(ours, mount) && strcmp(ours->mountpoint, mount->mountpoint) == 0 &&
		    (!found || (is_related(mount, ours) && !is_related(mount, found))))
			found = ours;
	}
	return found;
}

/* How many mounts lie upon it at its place. */
static uint32_t count_covers(const struct proc_mounts *own, const struct proc_mount *ours)
{
	uint32_t n = 0;

	for (size_t i = 0; i < own->n; i++)
		if (own->items[i].parent_id == ours->id && own->items[i].id != ours->id &&
		    strcmp(own->items[i].mountpoint, ours->mountpoint) == 0) {
			ours = &own->items[i];
			n++;
			i = (size_t)-1;
		}
	return n;
}

/* The path leads, here, to what that mount shows. */
static bool leads_to(const struct proc_mounts *own, const char *path, const struct proc_mount *mount)
{
	const struct proc_mount *nearest = NULL;
	AUTO_FREE char *root = NULL;
	const char *rest;

	for (size_t i = 0; i < own->n; i++)
		if (path_below(path, own->items[i].mountpoint) &&
		    (!nearest || strlen(own->items[i].mountpoint) >= strlen(nearest->mountpoint)))
			nearest = &own->items[i];
	if (!nearest || nearest->dev != mount->dev)
		return false;
	rest = path_below(path, nearest->mountpoint);
	root = xprintf("%s%s%s", nearest->root, *rest && nearest->root[1] ? "/" : "", rest);
	return strcmp(root, mount->root) == 0;
}

/* The path, here, of what is mounted there, and how many mounts lie upon that; NULL if none of our mounts shows it. */
static const char *find_path(const struct dump *d, const struct mount *mount, uint32_t *ret_covered)
{
	const struct proc_mounts *own = &dump_mounts(d)->own;
	const struct proc_mount *covered = NULL;

	for (size_t i = own->n; i-- > 0;) {
		const struct proc_mount *ours = &own->items[i];
		const char *below = ours->dev == mount->seen->dev ? path_below(mount->seen->root, ours->root) : NULL,
			   *path;

		if (!below)
			continue;
		path = *below ? pool_printf(d->pool, "%s/%s", ours->mountpoint[1] ? ours->mountpoint : "", below)
			      : ours->mountpoint;
		*ret_covered = 0;
		if (leads_to(own, path, mount->seen))
			return path;
		if (!*below && !covered && count_covers(own, ours))
			covered = ours;
	}
	*ret_covered = covered ? count_covers(own, covered) : 0;
	return covered ? covered->mountpoint : NULL;
}

/* The namespace was made as a copy of ours, and its root was not changed: what is mounted in both at the same place is
 * the same. */
static bool is_copy(const struct dump *d, const struct mount_space *space)
{
	const struct proc_mounts *own = &dump_mounts(d)->own;
	const struct proc_mount *root = space->root->seen;

	for (size_t i = 0; i < own->n; i++)
		if (strcmp(own->items[i].mountpoint, "/") == 0 && own->items[i].dev == root->dev &&
		    strcmp(own->items[i].root, root->root) == 0)
			return true;
	return false;
}

static int check_automatic(const struct dump *d, const struct mount *mount)
{
	char name[96];

	if (find_group(&dump_mounts(d)->own, mount->seen->shared) && !d->options->external_mounts_sharing)
		return refuse(EOPNOTSUPP,
			      "%s: what is mounted there is mounted outside as well (shared:%d): --external 'mnt[]:s' "
			      "takes that over, "
			      "mount --make-private ends it",
			      mount_name(mount, name), mount->seen->shared);
	if (find_group(&dump_mounts(d)->own, mount->seen->master) && !d->options->external_mounts_masters &&
	    !d->options->external_mounts_sharing)
		return refuse(EOPNOTSUPP,
			      "%s: what is mounted outside is mounted there as well (master:%d): --external 'mnt[]:m' "
			      "takes that over, "
			      "mount --make-private ends it",
			      mount_name(mount, name), mount->seen->master);
	return 0;
}

/* Whether those that share with it are outside or in the tree; of the root as well, which needs no option. */
static void set_sharing(const struct dump *d, const struct mount *mount)
{
	if (!mount->seen->shared)
		return;
	mount->entry->has_internal_sharing = true;
	mount->entry->internal_sharing = !find_group(&dump_mounts(d)->own, mount->seen->shared);
}

static int take_automatic(const struct dump *d, struct mount *mount, const char *path, uint32_t covered)
{
	TRY(check_automatic(d, mount));
	set_sharing(d, mount);
	mount->entry->ext_key = (char *)EXTERNAL_AUTO;
	mount->entry->source = (char *)path;
	mount->entry->covered = covered;
	mount->entry->has_covered = covered > 0;
	log_info("%s comes from outside, from %s", mount->entry->mountpoint, path);
	return 1;
}

/* What was mounted below the directory outside, which came here with it (mount --rbind); NULL if it is not there. */
static const struct proc_mount *find_below(const struct proc_mounts *own, const struct mount *mount,
					   const struct mount *above)
{
	AUTO_FREE char *end = xprintf("/%s", path_below(mount->entry->mountpoint, above->entry->mountpoint));

	for (size_t i = own->n; i-- > 0;) {
		const struct proc_mount *ours = &own->items[i];
		AUTO_FREE char *start = NULL;

		if (!shows_same(ours, mount->seen) || !text_ends(ours->mountpoint, end))
			continue;
		start = xprintf("%.*s", (int)(strlen(ours->mountpoint) - strlen(end)), ours->mountpoint);
		if (leads_to(own, *start ? start : "/", above->seen))
			return ours;
	}
	return NULL;
}

/* It is mounted below one that the user has named, and so it is outside: it is the volume as a whole that was named. */
static bool take_below(const struct dump *d, struct mount *mount)
{
	for (const struct mount *above = mount->parent; above; above = above->parent) {
		const struct proc_mount *ours;

		if (!above->named || !path_below(mount->entry->mountpoint, above->entry->mountpoint))
			continue;
		ours = find_below(&dump_mounts(d)->own, mount, above);
		if (!ours)
			continue;
		set_sharing(d, mount);
		mount->entry->has_below = true;
		mount->entry->below = above->entry->mnt_id;
		mount->entry->ext_key = (char *)EXTERNAL_AUTO;
		mount->entry->source = (char *)ours->mountpoint;
		log_info("%s comes from outside with %s", mount->entry->mountpoint, above->entry->mountpoint);
		return true;
	}
	return false;
}

#define DEVICE_SIZE 32

/* btrfs shows a number of its own instead of that of its device. */
static const char *find_device(const struct dump *d, const struct mount *mount, char device[DEVICE_SIZE])
{
	const struct proc_mount *seen = mount->seen;
	const char *value;
	struct stat st;

	snprintf(device, DEVICE_SIZE, "%u/%u", major(seen->dev), minor(seen->dev));
	value = find_option(d->options, "dev", device);
	if (value || major(seen->dev) || seen->source[0] != '/' || stat(seen->source, &st) < 0 || !S_ISBLK(st.st_mode))
		return value;
	snprintf(device, DEVICE_SIZE, "%u/%u", major(st.st_rdev), minor(st.st_rdev));
	return find_option(d->options, "dev", device);
}

static int dump_device(const struct dump *d, struct mount *mount, const char *name)
{
	mount->entry->ext_key = (char *)EXTERNAL_DEVICE;
	mount->entry->source = pool_printf(d->pool, "dev[%s]", name);
	mount->entry->fstype = FSTYPE__AUTO;
	mount->entry->fsname = (char *)mount->seen->fs_type;
	return 1;
}

/* It is there only because a mount above it was made, by its name, with all that is mounted below. */
static bool comes_with_named(const struct dump *d, const struct mount *mount)
{
	for (const struct mount *above = mount->parent; above; above = above->parent)
		if (find_option(d->options, "mnt", above->entry->mountpoint) &&
		    path_below(mount->entry->mountpoint, above->entry->mountpoint) &&
		    find_below(&dump_mounts(d)->own, mount, above))
			return true;
	return false;
}

/*
 * The one that a name for its place is meant for, in that namespace; NULL if nothing is mounted there. What is seen
 * there, unless a named volume has brought that and hides another one (docker run -v /sys:/sys: its own
 * /sys/fs/cgroup).
 */
static const struct mount *find_meant(const struct dump *d, const struct mount_space *space, const struct mount *mount)
{
	const struct mount *meant = NULL;
	bool meant_comes = false;

	for (size_t i = 0; i < space->mounts.n; i++) {
		const struct mount *other = space->mounts.items[i];
		bool comes;

		if (strcmp(other->entry->mountpoint, mount->entry->mountpoint) != 0)
			continue;
		comes = comes_with_named(d, other);
		if (!meant || (comes == meant_comes ? other->place > meant->place : meant_comes)) {
			meant = other;
			meant_comes = comes;
		}
	}
	return meant;
}

/*
 * Names are meant for the namespace of the root task. Another task may have mounted something else at the same place in
 * a namespace of its own, and what lies below the mount that is meant is another one as well.
 */
static const char *find_name(const struct dump *d, const struct mount *mount)
{
	const char *value = find_option(d->options, "mnt", mount->entry->mountpoint);
	const struct mount *named = NULL;

	if (!value)
		return NULL;
	for (size_t i = 0; i < dump_mounts(d)->spaces.n; i++)
		if (dump_mounts(d)->spaces.items[i]->namespace->of_root)
			named = find_meant(d, dump_mounts(d)->spaces.items[i], mount);
	if (!named)
		named = find_meant(d, mount->space, mount);
	return shows_same(named->seen, mount->seen) ? value : NULL;
}

int external_dump(const struct dump *d, struct mount *mount)
{
	const char *value = find_name(d, mount), *path;
	char device[DEVICE_SIZE], name[96];
	uint32_t covered;

	if (value && !*value)
		return refuse(EINVAL, "--external mnt[%s] lacks the name by which restore will find it: mnt[%s]:NAME",
			      mount->entry->mountpoint, mount->entry->mountpoint);
	if (value) {
		mount->entry->ext_key = (char *)value;
		mount->named = true;
		set_sharing(d, mount);
		log_info("%s comes from outside, as %s", mount_name(mount, name), value);
		return 1;
	}
	if (!mount->parent) {
		set_sharing(d, mount);
		mount->entry->has_own_root = true;
		mount->entry->own_root = is_copy(d, mount->space);
	}
	value = find_device(d, mount, device);
	if (value && mount->parent)
		return dump_device(d, mount, *value ? value : device);
	if (take_below(d, mount))
		return 1;
	if (is_copy(d, mount->space) && mount->parent && !mount->entry->detached) {
		const struct proc_mount *original = find_original(&dump_mounts(d)->own, mount->seen);

		if (original)
			return take_automatic(d, mount, original->mountpoint,
					      count_covers(&dump_mounts(d)->own, original));
	}
	/* To what was removed no path leads. */
	if (!mount->parent || mount->entry->deleted ||
	    !(d->options->external_mounts_auto || (mount->entry->detached && is_copy(d, mount->space))))
		return 0;
	/* Of the root's own file system: it comes with the root. */
	if (mount->seen->dev == mount->space->root->seen->dev &&
	    path_below(mount->seen->root, mount->space->root->seen->root))
		return 0;
	path = find_path(d, mount, &covered);
	return path ? take_automatic(d, mount, path, covered) : 0;
}

int external_check_groups(const struct dump *d, const struct mount *mount)
{
	const struct proc_mount *peer = find_group(&dump_mounts(d)->own, mount->seen->shared);
	char name[96];

	if (mount->entry->ext_key || !mount->parent || !peer)
		return 0;
	return refuse(EOPNOTSUPP,
		      "%s shares what is mounted below it with %s outside (shared:%d): mount --make-private it, or "
		      "take it from outside "
		      "with --external mnt[%s]:NAME",
		      mount_name(mount, name), peer->mountpoint, mount->seen->shared, mount->entry->mountpoint);
}

/* --- restore --- */

/* It comes with another one, which may come from another place now. */
static int path_with(struct restore *r, const struct mount *mount, const char **ret)
{
	const struct mount *above = table_find(restore_mounts(r)->by_id, mount->entry->below);
	const char *below = above ? path_below(mount->entry->mountpoint, above->entry->mountpoint) : NULL, *path;

	if (!below || above == mount || above->space != mount->space || above->entry->has_below)
		return refuse(EINVAL, "%s comes from outside with mount %u, but is not below it: the image is damaged",
			      mount->entry->mountpoint, mount->entry->below);
	TRY(external_path(r, above, &path));
	*ret = pool_printf(r->pool, "%s/%s", path, below);
	return 0;
}

int external_path(struct restore *r, const struct mount *mount, const char **ret)
{
	const MntEntry *entry = mount->entry;
	const char *key = entry->ext_key;

	if (!key && entry->has_ext_mount && entry->ext_mount)
		key = entry->root; /* older images */
	if (!key)
		return -ENOENT;
	if (strcmp(key, EXTERNAL_AUTO) == 0) {
		*ret = entry->source;
		return entry->has_below ? path_with(r, mount, ret) : 0;
	}
	*ret = find_option(r->options, "mnt", key);
	if (!*ret || !**ret)
		return refuse(ENOENT,
			      "%s comes from outside: tell with --external 'mnt[%s]:PATH' what is to be mounted there",
			      entry->mountpoint, key);
	return 0;
}

int external_device(struct restore *r, const struct mount *mount, const char **ret)
{
	const char *name = text_after(mount->entry->source, "dev[");
	AUTO_FREE char *key = NULL;

	if (!name || !text_ends(name, "]"))
		return refuse(EINVAL, "%s: its device has no name: the image is damaged", mount->entry->mountpoint);
	key = xprintf("%.*s", (int)strlen(name) - 1, name);
	*ret = find_option(r->options, "dev", key);
	if (!*ret || !**ret)
		return refuse(ENOENT,
			      "%s lies on a device that the user provides: tell with --external 'dev[%s]:PATH' which",
			      mount->entry->mountpoint, key);
	return 0;
}
