/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore of mount namespaces: the images, and what they want from outside. */
#include "object/mount/load.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "image/record.h"
#include "object/mount/mount-set.h"
#include "object/mount/content/libarchive.h"
#include "object/mount/external.h"
#include "object/mount/fs/autofs-restore.h"
#include "object/mount/fs/fs.h"
#include "object/mount/fs/fuse-restore.h"
#include "object/mount/fs/nsfs.h"
#include "object/mount/fs/overlay.h"
#include "object/mount/pid-space.h"
#include "object/mount/pty.h"
#include "object/mount/removed.h"
#include "object/mount/sharing.h"
#include "object/mount/tree.h"
#include "object/namespace/namespace.h"
#include "session/needs.h"

/* Of a namespace file it is none: "net:[4026531840]". */
static bool is_root(const char *root)
{
	return root[0] == '/' || strstr(root, ":[");
}

static int add_entry(const struct restore *r, struct mount_space *space, struct image *image, MntEntry *entry)
{
	struct mount *mount;

	if (entry->mountpoint[0] != '/' || !is_root(entry->root))
		return image_refuse(image, "mount %u: \"%s\" or \"%s\" is no path", entry->mnt_id, entry->mountpoint,
				    entry->root);
	mount = mount_add(restore_mounts(r), space, r->pool, entry);
	if (!mount)
		return image_refuse(image, "mount %u is there twice", entry->mnt_id);
	mount->place = UINT_MAX - (unsigned)space->mounts.n; /* the format has them in reverse */
	mount->fs = fs_find_recorded(entry);
	return 0;
}

static int read_image(const struct restore *r, struct mount_space *space)
{
	AUTO(image_close) struct image *image = NULL;
	MntEntry *entry;
	int more = image_open(r->store, &image, IMAGE_MOUNTPOINTS, space->id);

	if (more == -ENOENT)
		return refuse(ENOENT, "mountpoints-%u.img, which tells what is mounted there, is missing", space->id);
	TRY(more);
	while ((more = image_read(image, &entry)) > 0)
		TRY(add_entry(r, space, image, entry));
	return more;
}

/* Without --root, a root that is a file system of memory and was nowhere else is made anew. */
static bool root_comes_from_outside(const struct restore *r, const struct mount *root)
{
	if (root->entry->ext_key || (r->options->root && root->space->namespace->of_root))
		return true;
	return !(root->fs && root->fs->content) && !root->entry->made_outside && !mount_find_made_elsewhere(root);
}

static int classify_mount(const struct restore *r, struct mount *mount)
{
	const MntEntry *entry = mount->entry;

	LOG_SCOPE("mount %u on %.60s", entry->mnt_id, entry->mountpoint);
	if (!mount->parent) {
		mount->from_root = root_comes_from_outside(r, mount);
		return 0;
	}
	if (mount_is_external(mount))
		return 0;
	if (entry->has_space)
		return nsfs_load(r, mount);
	if (entry->with_plugin)
		return 0;
	if (pty_is_mounted(mount) && !pty_has_devpts(restore_mounts(r), mount))
		return refuse(EINVAL, "it is a pty of a devpts that is mounted nowhere: the image is damaged");
	if (entry->deleted && !pty_is_mounted(mount) && !entry->has_removed)
		return refuse(EOPNOTSUPP,
			      "what was mounted there had been removed: such mounts cannot be restored yet");
	if (mount->space->root->from_root && mount_is_of_root(mount)) {
		mount->from_root = true;
		return 0;
	}
	if (entry->has_removed && !removed_find_above(mount) && (!mount->fs || !mount->fs->content))
		return refuse(EINVAL, "it was removed from a file system that is not there: the image is damaged");
	if (mount_find_external_above(mount) || (mount->fs && mount->fs->anew))
		return 0;
	if (entry->fstype == FSTYPE__AUTO && entry->fsname)
		return 0;
	return refuse(EOPNOTSUPP, "its file system (type %u of the format) cannot be made again", entry->fstype);
}

/* They wait until the overlay is there. */
static void mark_upon_layers(const struct mount_space *space)
{
	for (const struct mount *overlay = space->root; overlay; overlay = mount_next(overlay))
		for (struct mount *m = overlay->entry->n_upon_layers ? space->root : NULL; m; m = mount_next(m))
			m->upon_layers |= overlay_lies_below(overlay, m);
}

int mount_restore_load(const struct restore *r, struct namespace *ns)
{
	struct mount_space *space;

	if (!restore_mounts(r)) {
		TRY(libarchive_load()); /* from our own mounts, before there are others */
		state_make(r->states, &mount_state);
	}
	space = ns->data = space_add(restore_mounts(r), r->pool, ns->id);
	space->namespace = ns;
	TRY(read_image(r, space));
	TRY(space_link(restore_mounts(r), space, "mountpoints image"));
	for (struct mount *m = space->root; m; m = mount_next(m))
		TRY(classify_mount(r, m));
	mark_upon_layers(space);
	space_count_supers(restore_mounts(r), space, r->pool);
	for (struct mount *m = space->root; m; m = mount_next(m))
		TRY(pid_space_load(r, m));
	for (struct superblock *super = restore_mounts(r)->supers; super; super = super->next)
		TRY(super->widest && super->widest->entry->fstype == FSTYPE__FUSE ? fuse_load(r, super)
										  : autofs_load(r, super));
	return 0;
}

int mount_restore_link(const struct restore *r)
{
	return restore_mounts(r) ? sharing_check(restore_mounts(r), r->pool) : 0;
}

int mount_restore_require(struct restore *r, struct namespace *ns)
{
	const struct mount_space *space = ns->data;
	const char *path;

	for (struct mount *m = space->root; m; m = mount_next(m)) {
		LOG_SCOPE("mount %u on %.60s", m->entry->mnt_id, m->entry->mountpoint);
		int found = m->parent && mount_is_external(m) ? external_path(r, m, &path) : 0;

		TRY(found);
	}
	return 0;
}

int mount_restore_needs(const struct restore *r, struct namespace *ns)
{
	const struct mount_space *space = ns->data;

	need_other_paths(r);
	need_feature(r, FEATURE_ID_move_mount_set_group);
	need_feature(r, FEATURE_ID_openat2);
	for (struct mount *m = space->root; m; m = mount_next(m)) {
		const MntEntry *entry = m->entry;

		if (m->super && m->super->autofs && m->super->autofs->fd >= 0)
			(void)needs_add(r, NEED_FILE, "/dev/autofs", "an automounter serves %s", entry->mountpoint);
		if (entry->with_plugin)
			(void)needs_add(r, NEED_PEER, "a plugin", "it mounts %s", entry->mountpoint);
		else if (entry->has_below)
			continue; /* it comes with another one, if it is there */
		else if (mount_is_external(m) && entry->ext_key && strcmp(entry->ext_key, EXTERNAL_AUTO) == 0)
			(void)needs_add(r, NEED_FILE, entry->source, "it is mounted on %s", entry->mountpoint);
		else if (mount_is_external(m) || entry->ext_key)
			(void)needs_add(
				r, NEED_OPTION,
				pool_printf(r->pool, "--external %s[%s]:PATH", mount_is_external(m) ? "mnt" : "dev",
					    mount_is_external(m) ? entry->ext_key ?: entry->root : entry->source),
				"gives what is mounted on %s", entry->mountpoint);
		else if (!m->parent && m->from_root && strcmp(entry->root, "/") != 0)
			(void)needs_add(r, NEED_OPTION, "--root", "the root of the mount namespace, %s then",
					entry->root);
	}
	return 0;
}
