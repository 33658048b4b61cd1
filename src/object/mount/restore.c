/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Restore of mount namespaces. First every mount is made, attached nowhere: those from outside by cloning, the others
 * from file systems that are made anew in the namespaces of the root task. Then each namespace, a copy of ours until
 * then, gets its root and what is mounted below it. All is done by processes of ours that enter those namespaces
 * (namespace_run); nothing is ever mounted in the namespace of criu.
 */
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
#include "base/text.h"
#include "kern/mountapi.h"
#include "object/mount/core.h"
#include "object/namespace/namespace.h"
#include "plugin/plugin.h"

#define for_each_mount(m, set)                          \
	for (size_t i_ = 0; i_ < (set)->spaces.n; i_++) \
		for ((m) = (set)->spaces.items[i_]->root; (m); (m) = mount_next(m))

static bool is_outside(const struct mount *mount)
{
	return mount->from_root || mount_is_external(mount) ||
	       (!mount->entry->with_plugin && mount_find_external_above(mount));
}

/* Its options are paths, which are those of the namespace: it is made when its place is there. */
static bool is_late(const struct mount *mount)
{
	return !is_outside(mount) && !mount->entry->with_plugin && mount->fs && mount->fs->late;
}

/* --- what comes from outside: in our own namespace --- */

static int clone_outside(struct restore *r, struct mount *mount)
{
	AUTO_CLOSE int fd = -1;

	int error;

	LOG_SCOPE("mount %u on %.60s", mount->entry->mnt_id, mount->entry->mountpoint);
	error = outside_open(r, mount, &fd);
	if (error == -ENOENT && mount->entry->has_below) {
		log_warn("what was mounted there came from outside with another mount, and is not there any more: it "
			 "is left out");
		mount->left_out = true;
		return 0;
	}
	TRY(error);
	mount->fd = mountapi_clone(fd, "");
	if (mount->fd < 0)
		return fail(-mount->fd, "cloning what is to be mounted there (open_tree)");
	if (sharing_is_outside(r->mounts, mount))
		mount->outside = mountapi_clone(fd, "");
	/* Else what is mounted below it would be mounted outside as well, and pivot_root(2) refuses a shared root. */
	error = mountapi_set_propagation(mount->fd, MS_PRIVATE);
	return error < 0 ? fail(-error, "making its clone private") : 0;
}

static int clone_all_outside(struct restore *r)
{
	struct mount *m;

	for_each_mount(m, r->mounts) if (is_outside(m)) TRY(clone_outside(r, m));
	else if (m->entry->has_space) TRY(nsfs_clone(r, m));
	return 0;
}

/* --- file systems: in the namespaces of the root task, as some show what belongs to them --- */

static const char *super_root(struct restore *r, const struct superblock *super)
{
	const struct fs_kind *fs = super->widest->fs;
	bool cgroup = fs && (fs->type == FSTYPE__CGROUP || fs->type == FSTYPE__CGROUP2);

	/* Its root is that of the cgroup namespace that it is mounted in, but the dump saw the whole path. */
	return cgroup && namespace_of_root(r->namespaces, r->tree, "cgroup", NULL) ? super->widest->entry->root : "/";
}

static int make_super(struct restore *r, struct superblock *super)
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
	if (mount->fs && mount->fs->content)
		flags &= ~(unsigned long)MS_RDONLY; /* until its files are there */
	if (mount->fs && mount->fs->one)
		options = ""; /* it is mounted already, with options that are not ours to change */
	super->fd = mountapi_make(context, source, options, flags);
	return super->fd < 0 ? super->fd : 0;
}

static int make_supers(void *arg)
{
	struct restore *r = arg;

	for (struct superblock *super = r->mounts->supers; super; super = super->next)
		if (super->widest && !is_late(super->widest))
			TRY(make_super(r, super));
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
	return content_restore(r, part, super->widest);
}

static int fill_supers(struct restore *r)
{
	for (struct superblock *super = r->mounts->supers; super; super = super->next)
		if (super->widest && super->widest->fs && super->widest->fs->content)
			TRY(fill_super(r, super));
	return 0;
}

/* --- the yard: a namespace of ours where file systems hang while mounts of them are cloned --- */

/* A directory that something can be mounted upon; what is below is not seen in the yard, where plugins may look for
 * files. */
static int open_yard(char path[32])
{
	static const char *const places[] = {
		"/media", "/srv", "/boot", "/mnt", "/opt", "/tmp", "/run", "/var", "/usr"
	};
	int fd = -1;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && fd < 0; i++) {
		if (mount("criu", places[i], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") < 0)
			continue;
		snprintf(path, 32, "%s", places[i]);
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? fail_errno("mounting a tmpfs to work in, on /media, /tmp or the like") : fd;
}

static int hang_up(int yard, const struct superblock *super)
{
	char name[16];
	int error;

	snprintf(name, sizeof(name), "%u", super->dev);
	if (mkdirat(yard, name, 0700) < 0)
		return fail_errno("making a directory to work in");
	error = mountapi_attach(super->fd, yard, name);
	if (error == 0 && super->widest->fs && super->widest->fs->content && super->widest->entry->sb_flags & MS_RDONLY)
		error = mountapi_make_readonly(super->fd);
	return error < 0 ? fail(-error, "attaching the file system of %s", super->widest->entry->mountpoint) : 0;
}

/* "below" is a path in what is mounted at "from", in the namespace that we are in. */
static int clone_part(int from, struct mount *mount, const char *below)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	AUTO_CLOSE int part = (int)syscall(SYS_openat2, from, *below ? below : ".", &how, sizeof(how));

	if (part < 0)
		return fail_errno("opening %s of its file system", mount->entry->root);
	mount->fd = mountapi_clone(part, "");
	return mount->fd < 0 ? fail(-mount->fd, "cloning it (open_tree)") : 0;
}

/* A directory that was removed while it was mounted elsewhere: it is there until it is mounted again. */
static int make_removed(const struct mount *mount, const char *below)
{
	if (mkdirat(mount->super->fd, below, 0755) < 0)
		return fail_errno("making the directory %s, which had been removed, for a moment", mount->entry->root);
	return 0;
}

static int remove_again(const struct mount *mount)
{
	if (unlinkat(mount->super->fd, path_below(mount->entry->root, "/"), AT_REMOVEDIR) < 0)
		return fail_errno("removing the directory %s again", mount->entry->root);
	return 0;
}

static int clone_anew(struct restore *r, struct mount *mount)
{
	const char *below = path_below(mount->entry->root, super_root(r, mount->super));

	LOG_SCOPE("mount %u on %.60s", mount->entry->mnt_id, mount->entry->mountpoint);
	if (!below)
		return refuse(ENOTSUP, "it shows %s, which lies outside of what its file system shows now",
			      mount->entry->root);
	if (mount->entry->deleted)
		TRY(make_removed(mount, below));
	return clone_part(mount->super->fd, mount, below);
}

/* A plugin mounts it somewhere in the yard; it is taken from there. */
static int clone_plugged(struct restore *r, struct mount *mount, int yard, const char *yard_path)
{
	AUTO_FREE char *point = xprintf("%s/p%u", yard_path, mount->entry->mnt_id);
	static char host_root[] = "/";
	int answer;

	LOG_SCOPE("mount %u on %.60s", mount->entry->mnt_id, mount->entry->mountpoint);
	if (mkdirat(yard, strrchr(point, '/') + 1, 0700) < 0)
		return fail_errno("making a directory to work in");
	answer = plugins_ask(r->plugins, RESTORE_EXT_MOUNT, (int)mount->entry->mnt_id, point, host_root, NULL);
	if (answer == -ENOTSUP)
		return refuse(ENOTSUP, "a plugin saved it, but none mounts it now: is it loaded (--libdir)?");
	if (answer < 0)
		return plugins_fail(r->plugins, answer);
	mount->fd = mountapi_clone(AT_FDCWD, point);
	return mount->fd < 0 ? fail(-mount->fd, "cloning what the plugin mounted") : 0;
}

static int work_in_yard(struct restore *r)
{
	char path[32];
	AUTO_CLOSE int yard = -1;
	struct mount *m;

	if (unshare(CLONE_NEWNS) < 0 || mountapi_make_all_private() < 0)
		return fail_errno("making a mount namespace to work in");
	yard = open_yard(path);
	TRY(yard);
	for (const struct superblock *super = r->mounts->supers; super; super = super->next)
		if (super->fd >= 0)
			TRY(hang_up(yard, super));
	for_each_mount(m, r->mounts)
	{
		if (m->entry->with_plugin)
			TRY(clone_plugged(r, m, yard, path));
		else if (m->fd < 0 && !is_late(m) && !m->left_out)
			TRY(clone_anew(r, m));
	}
	return 0;
}

/* --- the namespaces --- */

int space_enter(struct mount_set *set, const struct mount_space *space)
{
	if (set->inside == space)
		return 0;
	if (setns(space->namespace->fd, CLONE_NEWNS) < 0)
		return fail_errno("entering mount namespace %u", space->id);
	set->inside = space;
	return 0;
}

static int change_root(struct mount_space *space)
{
	int error = mountapi_make_all_private();

	if (error == 0)
		error = mountapi_attach(space->root->fd, AT_FDCWD, "/");
	if (error < 0)
		return fail(-error, "attaching the root of the mount namespace");
	/* The old root comes to lie on the new one, and goes from there with all that hangs below it (pivot_root(2)).
	 */
	if (fchdir(space->root->fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
	    chdir("/") < 0)
		return fail_errno("changing the root of the mount namespace");
	return 0;
}

static int attach(const struct mount *mount)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_XDEV, /* the parent, and no mount that hides its place */
	};
	const char *point = mount_relative_point(mount);
	AUTO_CLOSE int fd = -1;
	int error;

	if (*point) {
		fd = (int)syscall(SYS_openat2, mount->parent->fd, point, &how, sizeof(how));
		if (fd < 0 && errno == ENOENT)
			return fail(
				ENOENT,
				"there is no %s to mount it on: make it, as it was there when the checkpoint was made",
				mount->entry->mountpoint);
		if (fd < 0)
			return fail_errno("opening the place it is mounted on");
	}
	error = mountapi_attach(mount->fd, *point ? fd : mount->parent->fd, "");
	return error < 0 ? fail(-error, "attaching it (move_mount)") : 0;
}

/* In the namespace. The first mount of such a file system is what fsmount(2) gives, the others are clones of that one
 * at its place. */
static int make_late(struct restore *r, struct mount *mount)
{
	struct superblock *super = mount->super;
	struct mount *first = super->first;

	if (!first) {
		TRY(make_super(r, super));
		mount->fd = TAKE_FD(super->fd);
		super->first = mount;
		if (strcmp(mount->entry->root, "/") != 0)
			return refuse(ENOTSUP, "the whole of its file system is mounted after a part of it: that can't "
					       "be restored yet");
		return 0;
	}
	TRY(space_enter(r->mounts, first->space));
	TRY(clone_part(first->fd, mount, path_below(mount->entry->root, "/")));
	return space_enter(r->mounts, mount->space);
}

static bool hangs_late(const struct mount *mount)
{
	for (; mount; mount = mount->parent)
		if (is_late(mount))
			return true;
	return false;
}

static int attach_all(struct restore *r, struct mount_space *space, bool late)
{
	for (struct mount *m = space->root; m; m = mount_next(m)) {
		LOG_SCOPE("mount %u on %.60s", m->entry->mnt_id, m->entry->mountpoint);
		if (!m->parent || m->left_out || hangs_late(m) != late)
			continue;
		if (is_late(m))
			TRY(make_late(r, m));
		TRY(attach(m));
		if (m->entry->deleted && !is_outside(m))
			TRY(remove_again(m));
	}
	return 0;
}

static int put_together(struct restore *r, struct mount_space *space)
{
	struct mount_set *set = r->mounts;
	struct mount *m;

	TRY(space_enter(set, space));
	TRY(change_root(space));
	TRY(attach_all(r, space, false));
	TRY(attach_all(r, space, true));
	for (m = space->root; m; m = mount_next(m)) {
		int error = m->left_out ? 0 : mountapi_set_flags(m->fd, m->entry->flags);

		if (error < 0)
			return fail(-error, "setting the flags of mount %u on %s", m->entry->mnt_id,
				    m->entry->mountpoint);
	}
	space->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return space->root_fd < 0 ? fail_errno("opening the root of the mount namespace") : 0;
}

static int make_spaces(void *arg)
{
	struct restore *r = arg;

	TRY(work_in_yard(r));
	for (size_t i = 0; i < r->mounts->spaces.n; i++) {
		struct mount_space *space = r->mounts->spaces.items[i];

		LOG_SCOPE("mnt namespace %u", space->id);
		TRY(put_together(r, space));
		log_info("%zu mounts are in place", space->mounts.n);
	}
	return sharing_make(r->mounts);
}

/* What file systems are made in: all namespaces of the root task that are not ours. */
static uint32_t namespaces_of_root(struct restore *r)
{
	static const char *const names[] = { "user", "pid", "net", "ipc", "cgroup", "mnt" };
	uint32_t flags = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (namespace_of_root(r->namespaces, r->tree, names[i], NULL))
			flags |= namespace_kind_find(names[i])->flag;
	return flags;
}

static void close_mounts(struct mount_set *set)
{
	struct mount *m;

	for_each_mount(m, set)
	{
		auto_close(&m->fd);
		auto_close(&m->outside);
		m->fd = m->outside = -1;
	}
	for (struct superblock *super = set->supers; super; super = super->next) {
		auto_close(&super->fd);
		super->fd = -1;
	}
}

int mount_restore_fill(struct restore *r, struct namespace *ns)
{
	int root = r->tree->root->restore->proc;
	uint32_t flags = namespaces_of_root(r);

	if (r->mounts->filled)
		return 0;
	r->mounts->filled = true;
	TRY(fail_point("restore/mounts"));
	TRY(clone_all_outside(r));
	TRY(namespace_run(root, flags, make_supers, r));
	TRY(fill_supers(r));
	TRY(fail_point("restore/mounts/spaces"));
	TRY(namespace_run(root, flags & (CLONE_NEWUSER | CLONE_NEWNS), make_spaces, r));
	close_mounts(r->mounts);
	return 0;
}

int mount_restore_root(const struct restore *r, int mnt_id)
{
	const struct mount *mount =
		r->mounts && r->mounts->by_id && mnt_id > 0 ? table_find(r->mounts->by_id, (uint64_t)mnt_id) : NULL;
	struct namespace *ns;

	if (!r->mounts)
		return -1;
	if (mount)
		return mount->space->root_fd;
	if (mnt_id > 0 || !namespace_of_root(r->namespaces, r->tree, "mnt", &ns))
		return -1;
	return ((const struct mount_space *)ns->data)->root_fd;
}

void mount_restore_clean(struct restore *r, struct namespace *ns)
{
	if (r->mounts)
		mount_set_done(r->mounts);
	r->mounts = NULL;
}
