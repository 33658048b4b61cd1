/* SPDX-License-Identifier: GPL-2.0-only */
/* Mounts that come from outside: the user names them with --external mnt[...], or lets them be found. */
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "object/mount/core.h"

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

/* The path, here, of what is mounted there; NULL if none of our mounts shows it. */
static const char *find_path(struct dump *d, const struct mount *mount, bool same_place)
{
	const struct proc_mounts *own = &d->mounts->own;

	for (size_t i = own->n; i-- > 0;) {
		const struct proc_mount *ours = &own->items[i];
		const char *below = ours->dev == mount->seen->dev ? path_below(mount->seen->root, ours->root) : NULL;
		bool same = below && !*below && strcmp(ours->mountpoint, mount->seen->mountpoint) == 0;

		if (!below || (same_place && !same))
			continue;
		if (!*below)
			return ours->mountpoint;
		return pool_printf(d->pool, "%s/%s", strcmp(ours->mountpoint, "/") ? ours->mountpoint : "", below);
	}
	return NULL;
}

/* The namespace was made as a copy of ours, and its root was not changed: what is mounted in both at the same place is
 * the same. */
static bool is_copy(struct dump *d, const struct mount_space *space)
{
	const struct proc_mounts *own = &d->mounts->own;
	const struct proc_mount *root = space->root->seen;

	for (size_t i = 0; i < own->n; i++)
		if (strcmp(own->items[i].mountpoint, "/") == 0 && own->items[i].dev == root->dev &&
		    strcmp(own->items[i].root, root->root) == 0)
			return true;
	return false;
}

static int check_automatic(struct dump *d, const struct mount *mount)
{
	char name[96];

	if (find_group(&d->mounts->own, mount->seen->shared) && !d->options->external_mounts_sharing)
		return refuse(ENOTSUP,
			      "%s: what is mounted there is mounted outside as well (shared:%d): --external 'mnt[]:s' "
			      "takes that over, "
			      "mount --make-private ends it",
			      mount_name(mount, name), mount->seen->shared);
	if (find_group(&d->mounts->own, mount->seen->master) && !d->options->external_mounts_masters &&
	    !d->options->external_mounts_sharing)
		return refuse(ENOTSUP,
			      "%s: what is mounted outside is mounted there as well (master:%d): --external 'mnt[]:m' "
			      "takes that over, "
			      "mount --make-private ends it",
			      mount_name(mount, name), mount->seen->master);
	return 0;
}

static int take_automatic(struct dump *d, struct mount *mount, const char *path)
{
	TRY(check_automatic(d, mount));
	mount->entry->ext_key = (char *)EXTERNAL_AUTO;
	mount->entry->source = (char *)path;
	log_info("%s comes from outside, from %s", mount->entry->mountpoint, path);
	return 1;
}

static int dump_device(struct dump *d, struct mount *mount, const char *name)
{
	mount->entry->ext_key = (char *)EXTERNAL_DEVICE;
	mount->entry->source = pool_printf(d->pool, "dev[%s]", name);
	mount->entry->fstype = FSTYPE__AUTO;
	mount->entry->fsname = (char *)mount->seen->fs_type;
	return 1;
}

int external_dump(struct dump *d, struct mount *mount)
{
	const char *value = find_option(d->options, "mnt", mount->entry->mountpoint), *path;
	char device[32], name[96];

	if (value && !*value)
		return refuse(EINVAL, "--external mnt[%s] lacks the name by which restore will find it: mnt[%s]:NAME",
			      mount->entry->mountpoint, mount->entry->mountpoint);
	if (value) {
		mount->entry->ext_key = (char *)value;
		if (mount->seen->shared && !find_group(&d->mounts->own, mount->seen->shared))
			mount->entry->has_internal_sharing = mount->entry->internal_sharing = true;
		log_info("%s comes from outside, as %s", mount_name(mount, name), value);
		return 1;
	}
	snprintf(device, sizeof(device), "%u/%u", major(mount->seen->dev), minor(mount->seen->dev));
	value = find_option(d->options, "dev", device);
	if (value && mount->parent)
		return dump_device(d, mount, *value ? value : device);
	if (is_copy(d, mount->space) && mount->parent) {
		path = find_path(d, mount, true);
		if (path)
			return take_automatic(d, mount, path);
	}
	if (!d->options->external_mounts_auto || !mount->parent)
		return 0;
	/* Of the root's own file system: it comes with the root. */
	if (mount->seen->dev == mount->space->root->seen->dev &&
	    path_below(mount->seen->root, mount->space->root->seen->root))
		return 0;
	path = find_path(d, mount, false);
	return path ? take_automatic(d, mount, path) : 0;
}

int external_check_groups(struct dump *d, const struct mount *mount)
{
	const struct proc_mount *peer = find_group(&d->mounts->own, mount->seen->shared);
	char name[96];

	if (mount->entry->ext_key || !mount->parent || !peer)
		return 0;
	return refuse(ENOTSUP,
		      "%s shares what is mounted below it with %s outside (shared:%d): mount --make-private it, or "
		      "take it from outside "
		      "with --external mnt[%s]:NAME",
		      mount_name(mount, name), peer->mountpoint, mount->seen->shared, mount->entry->mountpoint);
}

/* --- restore --- */

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
		return 0;
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
