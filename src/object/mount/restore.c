/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Restore of mount namespaces. First every mount is made, attached nowhere: those from outside by cloning, the others
 * from file systems that are made anew in the namespaces of the root task. Then each namespace, a copy of ours until
 * then, gets its root and what is mounted below it. All is done by processes of ours that enter those namespaces
 * (namespace_run); nothing is ever mounted in the namespace of criu.
 */
#include "object/mount/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/table.h"
#include "engine/engine.h"
#include "base/text.h"
#include "kern/mountapi.h"
#include "object/mount/attach.h"
#include "object/mount/content/content-restore.h"
#include "object/mount/content/inode-flags.h"
#include "object/mount/mount-set.h"
#include "object/mount/external.h"
#include "object/mount/fs/autofs-restore.h"
#include "object/mount/fs/fs.h"
#include "object/mount/fs/fuse-restore.h"
#include "object/mount/fs/fuse-serve.h"
#include "object/mount/fs/nsfs.h"
#include "object/mount/fs/overlay.h"
#include "object/mount/given-root.h"
#include "object/mount/idmap.h"
#include "object/mount/mount.h"
#include "object/mount/outside.h"
#include "object/mount/pid-space.h"
#include "object/mount/pty.h"
#include "object/mount/removed.h"
#include "object/mount/sharing.h"
#include "object/mount/tree.h"
#include "object/namespace/namespace.h"
#include "plugin/plugin.h"

bool mount_is_outside(const struct mount *mount)
{
	return mount->from_root || mount_is_external(mount) ||
	       (!mount->entry->with_plugin && mount_find_external_above(mount));
}

/* Its options are paths, which are those of the namespace: it is made when its place is there. Or it needs a task. */
bool mount_is_late(const struct mount *mount)
{
	if (pid_space_shown(mount))
		return true;
	return !mount_is_outside(mount) && !mount->entry->with_plugin && mount->fs && mount->fs->late &&
	       !mount->entry->made_outside;
}

/* --- what comes from outside: in our own namespace --- */

static int clone_outside(struct restore *r, struct mount *mount)
{
	const struct mount *above = mount->entry->has_removed ? removed_find_above(mount) : NULL;
	AUTO_CLOSE int fd = -1;
	int error = outside_open(r, above ?: mount, &fd);

	if (error == -ENOENT && mount->entry->has_below) {
		log_warn("what was mounted there came from outside with another mount, and is not there any more: it "
			 "is left out");
		mount->left_out = true;
		return 0;
	}
	TRY(error);
	if (above)
		TRY(removed_make(r, mount, fd, path_below(mount->entry->root, above->entry->root)));
	else
		mount->fd = mountapi_clone(fd, "");
	if (mount->fd < 0)
		return fail(-mount->fd, "cloning what is to be mounted there (open_tree)");
	if (mount->entry->id_users) {
		int has = idmap_has(r, fd);

		TRY(has);
		TRY(has ? 0 : idmap_restore(r, mount));
	}
	if (sharing_is_outside(restore_mounts(r), mount))
		mount->outside = mountapi_clone(fd, "");
	/* Else what is mounted below it would be mounted outside as well, and pivot_root(2) refuses a shared root. */
	error = mountapi_set_propagation(mount->fd, MS_PRIVATE);
	return error < 0 ? fail(-error, "making its clone private") : 0;
}

struct covered_job {
	struct restore *r;
	struct mount *mount;
};

static int clone_covered(void *arg)
{
	const struct covered_job *job = arg;

	TRY(outside_uncover(job->r, job->mount));
	return clone_outside(job->r, job->mount);
}

static int clone_or_uncover(struct restore *r, struct mount *mount)
{
	struct covered_job job = { r, mount };

	LOG_SCOPE("mount %u on %.60s", mount->entry->mnt_id, mount->entry->mountpoint);
	return outside_is_covered(mount) ? namespace_run(-1, 0, clone_covered, &job) : clone_outside(r, mount);
}

static int clone_all_outside(struct restore *r)
{
	struct mount *m;

	for_each_mount(m, restore_mounts(r))
		if (mount_is_outside(m))
			TRY(clone_or_uncover(r, m));
		else if (m->entry->has_space && !m->kept_space)
			TRY(nsfs_clone(r, m));
	return 0;
}

/* --- file systems: in the namespaces of the root task, as some show what belongs to them --- */

const char *super_root_path(struct restore *r, const struct superblock *super)
{
	const struct fs_kind *fs = super->widest->fs;
	bool cgroup = fs && (fs->type == FSTYPE__CGROUP || fs->type == FSTYPE__CGROUP2);

	/* Its root is that of the cgroup namespace that it is mounted in, but the dump saw the whole path. */
	return cgroup && namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWCGROUP, NULL)
		       ? super->widest->entry->root
		       : "/";
}

int super_make(struct restore *r, struct superblock *super)
{
	const struct mount *mount = super->widest;
	const MntEntry *entry = mount->entry;
	const char *name = entry->fstype == FSTYPE__AUTO ? entry->fsname : mount->fs->name, *source = entry->source;
	const char *options = entry->options, *context_option = r->options->lsm_mount_context;
	unsigned long flags = entry->sb_flags;
	AUTO_CLOSE int context = -1;

	LOG_SCOPE("%s on %.60s", name, entry->mountpoint);
	context = fsopen(name, FSOPEN_CLOEXEC);
	if (context < 0)
		return fail_errno("fsopen (is the file system known here?)");
	if (entry->ext_key)
		TRY(external_device(r, mount, &source));
	if (context_option)
		options = fs_with_context(r->pool, options, context_option);
	if (mount->fs && (mount->fs->content || mount->fs->pins))
		flags &= ~(unsigned long)MS_RDONLY; /* until its files are there */
	if (mount->fs && mount->fs->one)
		options = ""; /* it is mounted already, with options that are not ours to change */
	super->fd = mountapi_make(context, source, options, flags);
	return super->fd < 0 ? super->fd : 0;
}

static int make_supers(void *arg)
{
	struct restore *r = arg;

	for (struct superblock *super = restore_mounts(r)->supers; super; super = super->next)
		if (super->autofs)
			TRY(autofs_make(r, super));
		else if (super->fuse)
			TRY(fuse_make(r, super));
	for (struct superblock *super = restore_mounts(r)->supers; super; super = super->next)
		if (super->widest && super->fd < 0 && !mount_is_late(super->widest))
			TRY(super_make(r, super));
	return 0;
}

/* Root of a user namespace may not make it; it was bound there from outside. */
static bool is_privileged(struct restore *r, const struct mount *mount)
{
	if (mount->entry->privileged)
		return true;
	/* Only those who own the network may mount sysfs. */
	if (mount->fs && mount->fs->type == FSTYPE__SYSFS && !mount_is_late(mount) &&
	    namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWUSER, NULL) &&
	    !namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWNET, NULL))
		return true;
	return mount->fs && mount->fs->one && !mount->fs->each_user && !mount_is_late(mount) &&
	       namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWUSER, NULL);
}

/* In our own namespaces, where their layers are, or what only we may make. */
static int make_supers_outside(struct restore *r)
{
	for (struct superblock *super = restore_mounts(r)->supers; super; super = super->next) {
		if (!super->widest)
			continue;
		if (super->widest->entry->made_outside)
			TRY(overlay_prepare(r, super));
		if (super->widest->entry->made_outside || is_privileged(r, super->widest))
			TRY(super_make(r, super));
	}
	return 0;
}

/* Only a part of a tmpfs may have been mounted: that part is what was saved. */
static int open_part(int root, const char *path, int *ret_fd)
{
	AUTO_FREE char *copy = xstrdup(path);
	AUTO_CLOSE int dir = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *rest = copy, *name;

	while (dir >= 0 && (name = strsep(&rest, "/"))) {
		int below;

		if (!*name)
			continue;
		if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
			return fail_errno("making the directory %s", path);
		below = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(dir);
		dir = below;
	}
	*ret_fd = TAKE_FD(dir);
	return *ret_fd < 0 ? fail_errno("opening the directory %s of it", path) : 0;
}

static int fill_super(struct restore *r, const struct superblock *super)
{
	AUTO_CLOSE int part = -1;

	LOG_SCOPE("mount %u on %.60s", super->widest->entry->mnt_id, super->widest->entry->mountpoint);
	TRY(open_part(super->fd, super->widest->entry->root, &part));
	return super->widest->fs->pins ? mount_pins.restore(r, part, super->dev)
				       : content_restore(r, part, super->widest);
}

static int fill_supers(struct restore *r)
{
	for (struct superblock *super = restore_mounts(r)->supers; super; super = super->next)
		if (super->widest && super->widest->fs && (super->widest->fs->content || super->widest->fs->pins))
			TRY(fill_super(r, super));
	return 0;
}

uint32_t mount_namespaces_of_root(struct restore *r)
{
	const uint32_t shown =
		CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWCGROUP | CLONE_NEWNS;
	struct namespace *ns;
	uint32_t flags = 0;

	for_each_namespace(ns, restore_namespaces(r))
		if (ns->of_root && !ns->own)
			flags |= ns->kind->flag & shown;
	return flags;
}

/* The mounts themselves are needed until all files are open. */
static void close_sources(struct mount_set *set)
{
	struct mount *m;

	for_each_mount(m, set) {
		auto_close(&m->outside);
		auto_close(&m->removed_fd);
		m->outside = m->removed_fd = -1;
	}
	for (struct superblock *super = set->supers; super; super = super->next) {
		auto_close(&super->fd);
		super->fd = -1;
	}
	sharing_done(set);
}

/* All is at its place. Over groups outside its user namespace has no power. */
static int share_mounts(struct restore *r)
{
	uint32_t flags = mount_namespaces_of_root(r) & CLONE_NEWNS;

	if (restore_mounts(r)->shared)
		return 0;
	restore_mounts(r)->shared = true;
	TRY(namespace_run(r->tree->root->restore->proc, flags, spaces_share, r));
	close_sources(restore_mounts(r));
	return 0;
}

/* In the user namespace of the tree nobody may read the images. */
static int open_removed(struct restore *r)
{
	struct mount *m;

	for_each_mount(m, restore_mounts(r)) {
		LOG_SCOPE("mount %u on %.60s", m->entry->mnt_id, m->entry->mountpoint);
		if (m->entry->has_removed && !mount_is_outside(m) && !removed_is_saved_with(restore_mounts(r), m))
			TRY(content_open_removed(r, m));
	}
	return 0;
}

int mount_restore_fill(struct restore *r, struct namespace *ns)
{
	int root = r->tree->root->restore->proc;
	uint32_t flags = mount_namespaces_of_root(r);

	if (restore_mounts(r)->filled)
		return 0;
	restore_mounts(r)->filled = true;
	TRY(clone_all_outside(r));
	TRY(open_removed(r));
	TRY(make_supers_outside(r));
	TRY(namespace_run(root, flags, make_supers, r));
	TRY(fuse_serve_begin(r));
	TRY(fill_supers(r));
	TRY(phase_pass_restore(r, PHASE_restore_fill, "mount", "spaces"));
	TRY(namespace_run(root, flags & (CLONE_NEWUSER | CLONE_NEWNS), spaces_make, r));
	TRY(pty_make_all(r));
	TRY(namespace_run(root, flags & (CLONE_NEWUSER | CLONE_NEWNS), spaces_finish, r));
	return pid_space_any(restore_mounts(r)) ? 0 : share_mounts(r);
}

int mount_restore_settle(struct restore *r, struct namespace *ns)
{
	uint32_t flags = mount_namespaces_of_root(r) & (CLONE_NEWUSER | CLONE_NEWNS);

	if (!restore_mounts(r) || restore_mounts(r)->settled)
		return 0;
	restore_mounts(r)->settled = true;
	TRY(share_mounts(r));
	TRY(inode_flags_settle(r));
	return namespace_run(r->tree->root->restore->proc, flags, spaces_settle, r);
}

int mount_restore_root(const struct restore *r, int mnt_id)
{
	const struct mount *mount = restore_mounts(r) && restore_mounts(r)->by_id && mnt_id > 0
					    ? table_find(restore_mounts(r)->by_id, (uint64_t)mnt_id)
					    : NULL;
	struct namespace *ns;

	if (!restore_mounts(r))
		return given_root(r);
	if (mount)
		return mount->space->root_fd;
	if (mnt_id > 0 || !namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWNS, &ns))
		return given_root(r);
	return ((const struct mount_space *)ns->data)->root_fd;
}

void mount_restore_clean(struct restore *r, struct namespace *ns)
{
	if (restore_mounts(r)) {
		overlay_undo(r);
		removed_done(restore_mounts(r));
	}
	state_destroy(r->states, &mount_state);
}
