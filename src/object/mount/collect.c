/* SPDX-License-Identifier: GPL-2.0-only */
/* Dump of a mount namespace: what is mounted there, and how can each mount be made again? */
#include "object/mount/collect.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/table.h"
#include "base/text.h"
#include "object/mount/mount-set.h"
#include "object/mount/fs/cgroup.h"
#include "object/mount/content/libarchive.h"
#include "object/mount/external.h"
#include "object/mount/fs/autofs.h"
#include "object/mount/fs/fs.h"
#include "object/mount/fs/fuse.h"
#include "object/mount/fs/nsfs.h"
#include "object/mount/fs/overlay.h"
#include "object/mount/idmap.h"
#include "object/mount/mount.h"
#include "object/mount/pid-space.h"
#include "object/mount/pty.h"
#include "object/mount/removed.h"
#include "object/mount/save.h"
#include "object/mount/sharing.h"
#include "object/mount/tree.h"
#include "object/namespace/namespace.h"
#include "plugin/plugin.h"
#include "session/survey.h"

static int read_own_mounts(const struct dump *d, struct mount_set *set)
{
	AUTO_CLOSE int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return proc < 0 ? fail_errno("opening /proc/self") : proc_mounts_read(proc, d->pool, &set->own);
}

struct mount_look {
	const struct dump *d;
	struct mount_space *space;
	int proc; /* /proc as we see it */
};

/* From the root of the namespace: a task may have another root directory, and mountinfo shows what is below that only.
 */
static int look_around(void *arg)
{
	struct mount_look *look = arg;
	AUTO_CLOSE int self = openat(look->proc, "thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (self < 0)
		return fail_errno("opening /proc/thread-self");
	look->space->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (look->space->root_fd < 0)
		return fail_errno("opening the root of the mount namespace");
	TRY(proc_mounts_read(self, look->d->pool, &look->space->seen));
	removed_find(look->space);
	return 0;
}

static uint32_t kernel_dev(dev_t dev)
{
	return (uint32_t)(major(dev) << 20 | minor(dev));
}

static uint32_t all_flags(const struct proc_mount *seen)
{
	unsigned long flags = seen->flags;

	if (!(flags & (MS_RELATIME | MS_NOATIME)))
		flags |= MS_STRICTATIME;
	return (uint32_t)(flags | (seen->unbindable ? MS_UNBINDABLE : 0));
}

static MntEntry *make_entry(const struct dump *d, const struct proc_mount *seen)
{
	MntEntry *entry = pool_new(d->pool, MntEntry);
	const struct fs_kind *fs = fs_find(seen->fs_type);
	char *root = pool_string(d->pool, seen->root);

	mnt_entry__init(entry);
	entry->fstype = fs ? fs->type : FSTYPE__UNSUPPORTED;
	entry->fsname = fs && fs->type == FSTYPE__AUTO ? (char *)fs->name : NULL;
	if (fs && fs->type == FSTYPE__FUSE)
		entry->fsname = seen->fs_subtype ? pool_printf(d->pool, "fuse.%s", seen->fs_subtype) : "fuse";
	entry->mnt_id = (uint32_t)seen->id;
	entry->parent_mnt_id = (uint32_t)seen->parent_id;
	entry->root_dev = kernel_dev(seen->dev);
	entry->flags = all_flags(seen);
	entry->root = root;
	if (text_ends(root, REMOVED)) {
		root[strlen(root) - strlen(REMOVED)] = 0;
		entry->has_deleted = entry->deleted = true;
	}
	entry->mountpoint = (char *)seen->mountpoint;
	entry->source = (char *)seen->source;
	entry->options = fs_options(d, fs, seen->super_options);
	entry->has_shared_id = entry->has_master_id = entry->has_sb_flags = true;
	entry->shared_id = (uint32_t)seen->shared;
	entry->master_id = (uint32_t)seen->master;
	entry->sb_flags = (uint32_t)seen->super_flags;
	return entry;
}

/* --skip-mnt: this one, and what is mounted below it. */
static bool is_skipped(const struct dump *d, const struct mount_space *space, const struct proc_mount *seen,
		       unsigned depth)
{
	const struct opt_list *list = &d->options->skip_mounts;
	const struct proc_mount *parent;

	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i], seen->mountpoint) == 0)
			return true;
	parent = proc_mounts_find(&space->seen, seen->parent_id);
	return parent && parent != seen && depth < space->seen.n && is_skipped(d, space, parent, depth + 1);
}

struct mount *collect_add(const struct dump *d, struct mount_space *space, const struct proc_mount *seen)
{
	struct mount *mount = mount_add(dump_mounts(d), space, d->pool, make_entry(d, seen));

	if (!mount)
		return NULL;
	mount->seen = seen;
	mount->fs = fs_find(seen->fs_type);
	return mount;
}

/* The format has them in reverse of /proc/PID/mountinfo. */
static int add_mounts(const struct dump *d, struct mount_space *space)
{
	for (size_t i = space->seen.n; i-- > 0;) {
		const struct proc_mount *seen = &space->seen.items[i];
		struct mount *mount;

		if (is_skipped(d, space, seen, 0)) {
			log_info("%s is left out (--skip-mnt)", seen->mountpoint);
			continue;
		}
		mount = collect_add(d, space, seen);
		if (!mount)
			return refuse(EINVAL, "two mounts have the id %d", seen->id);
		mount->place = (unsigned)i;
	}
	return space_link(dump_mounts(d), space, "/proc/PID/mountinfo");
}

static bool is_seen_outside(const struct dump *d, const struct mount *mount)
{
	const struct proc_mounts *own = &dump_mounts(d)->own;

	for (size_t i = 0; i < own->n; i++)
		if (own->items[i].dev == mount->seen->dev)
			return true;
	return false;
}

static int ask_plugins(const struct dump *d, struct mount *mount)
{
	AUTO_FREE char *point = xprintf(".%s", mount->entry->mountpoint);
	int answer = plugins_ask(d->plugins, DUMP_EXT_MOUNT, point, mount->seen->id);

	if (answer == -EOPNOTSUPP)
		return -EOPNOTSUPP;
	if (answer < 0)
		return plugins_fail(d->plugins, answer);
	mount->entry->has_with_plugin = mount->entry->with_plugin = true;
	return 0;
}

int mount_refuse(const struct mount *mount, const char *why)
{
	const MntEntry *entry = mount->entry;

	return refuse(EOPNOTSUPP,
		      "%s (%s on %s): %s: take it from outside with --external mnt[%s]:NAME, or leave it out with "
		      "--skip-mnt %s",
		      entry->mountpoint, mount->seen->fs_type, entry->source, why, entry->mountpoint,
		      entry->mountpoint);
}

static int leave_to_plugins(const struct dump *d, struct mount *mount, const char *why)
{
	int taken = ask_plugins(d, mount);

	return taken == -EOPNOTSUPP ? mount_refuse(mount, why) : taken;
}

/* As far as it can be seen. */
static bool shows_socket(const struct mount *mount)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	AUTO_CLOSE int fd =
		(int)syscall(SYS_openat2, mount->space->root_fd, mount->entry->mountpoint, &how, sizeof(how));
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_dev == mount->seen->dev;
}

/* 1: it is served by somebody of the tree, or by nobody any more. */
static int find_server(const struct dump *d, struct mount *mount)
{
	int served;

	if (mount->fs->type == FSTYPE__FUSE)
		return is_seen_outside(d, mount) ? 0 : fuse_dump(d, mount);
	served = autofs_dump(d, mount);
	return served == -EOPNOTSUPP ? 0 : served < 0 ? served : 1;
}

/* None of ours, not of the root's file system, and none that the user named. */
static int find_source(const struct dump *d, struct mount *mount)
{
	if (pty_is_mounted(mount) && !pty_has_devpts(dump_mounts(d), mount))
		return mount_refuse(mount, "it is a pty of a devpts that is mounted nowhere in the tree");
	if (mount->entry->deleted && !pty_is_mounted(mount) && removed_find_above(mount))
		return removed_dump(d, mount);
	if (mount_find_external_above(mount))
		return 0;
	/* A new one would not be the one that others see: other ptys, files of its own. */
	if (mount->fs && mount->fs->apart && is_seen_outside(d, mount))
		return mount_refuse(mount, "it is one that criu sees as well");
	if (mount->entry->deleted && !pty_is_mounted(mount))
		return removed_dump(d, mount);
	if (mount->fs && mount->fs->content && shows_socket(mount))
		return mount_refuse(mount, "a socket is mounted there, which is made after all mounts");
	if (mount->fs && mount->fs->late)
		return mount_find_made_elsewhere(mount) ? 0 : overlay_dump(d, mount);
	if (mount->fs && mount->fs->pins && !fs_is_enabled(d, mount->seen->fs_type))
		return pins_check(d, mount);
	if (mount->fs && mount->fs->served) {
		int served = find_server(d, mount);

		if (served)
			return served < 0 ? served : 0;
	} else if (mount->fs && mount->fs->anew) {
		return 0;
	}
	if (nsfs_is(mount->seen)) {
		const char *why;
		int kept = nsfs_dump(d, mount, &why);

		return why ? mount_refuse(mount, why) : kept;
	}
	if (fs_is_enabled(d, mount->seen->fs_type)) {
		mount->entry->fstype = FSTYPE__AUTO;
		mount->entry->fsname = (char *)mount->seen->fs_type;
		return 0;
	}
	if (!mount->fs && !d->options->external_mounts_auto && is_seen_outside(d, mount))
		return leave_to_plugins(d, mount, "it comes from outside (--external 'mnt[]' finds it there)");
	return leave_to_plugins(d, mount,
				mount->fs ? mount->fs->why
					  : "criu does not know how to make it again (--enable-fs lets it try)");
}

/* Of the namespace of the first process, which comes from outside. */
static bool is_of_main_root(const struct dump *d, const struct mount *root)
{
	for (size_t i = 0; i < dump_mounts(d)->spaces.n; i++) {
		const struct mount_space *space = dump_mounts(d)->spaces.items[i];

		if (space->namespace->of_root && space->root && space->root->seen->dev == root->seen->dev &&
		    path_below(root->seen->root, space->root->seen->root))
			return true;
	}
	return mount_find_external_above(root);
}

/* The tree has mounted it itself, or its manager did so where we do not see it, and gives it again. */
static int classify_unseen_root(const struct dump *d, struct mount *root)
{
	int found = root->fs && root->fs->late ? overlay_find_outside(d, root) : 0;

	TRY(found);
	if (found)
		root->from_root = false;
	else if (root->from_root && !root->space->namespace->of_root && !is_of_main_root(d, root))
		return refuse(EOPNOTSUPP,
			      "its root (%s on %s) is mounted neither in the namespace of the first process nor where "
			      "criu sees it: it cannot be made again",
			      root->seen->fs_type, root->seen->source);
	else if (root->from_root && !d->options->root)
		log_warn(
			"the root, %s on %s, is mounted nowhere that criu sees: restore must be told with --root where "
			"it is then",
			root->seen->fs_type, root->seen->source);
	return 0;
}

/* The root comes from outside, unless it is a file system of memory that nobody else sees. */
static int classify_root(const struct dump *d, struct mount *root)
{
	int external = external_dump(d, root);

	TRY(external);
	/* The root of a container in a container, which an engine of the tree has mounted. */
	if (!external && mount_find_made_elsewhere(root))
		return idmap_dump(d, root);
	root->from_root = !(root->fs && root->fs->content) || is_seen_outside(d, root);
	if (!external && !root->entry->own_root && !is_seen_outside(d, root))
		TRY(classify_unseen_root(d, root));
	if (root->from_root && root->fs && root->fs->content && !external)
		root->entry->fstype = FSTYPE__UNSUPPORTED; /* its content stays where it is */
	TRY(idmap_dump(d, root));
	return idmap_check(d, root);
}

static int take_external(const struct dump *d, struct mount *mount)
{
	int external;

	LOG_SCOPE("mount %u", mount->entry->mnt_id);
	if (!mount->parent)
		return classify_root(d, mount);
	external = external_dump(d, mount);
	if (external <= 0)
		return external;
	TRY(cgroup_fs_dump(d, mount));
	return idmap_dump(d, mount);
}

static int classify_mount(const struct dump *d, struct mount *mount)
{
	LOG_SCOPE("mount %u", mount->entry->mnt_id);
	if (!mount->parent || mount->entry->ext_key)
		return 0;
	TRY(external_check_groups(d, mount));
	TRY(idmap_dump(d, mount));
	if (mount->space->root->from_root && mount_is_of_root(mount) && !mount->entry->deleted) {
		mount->from_root = true;
		return 0;
	}
	TRY(idmap_check(d, mount));
	return find_source(d, mount);
}

int collect_one(const struct dump *d, struct mount *mount)
{
	TRY(take_external(d, mount));
	TRY(classify_mount(d, mount));
	mount_count_super(dump_mounts(d), mount, d->pool);
	return idmap_check_content(mount);
}

/* What was removed is made again in its file system. */
static int check_removed(const struct mount_space *space)
{
	for (struct mount *m = space->root; m; m = mount_next(m))
		if (m->entry->has_removed && !removed_find_above(m) && !m->super->widest)
			return mount_refuse(m, "what is mounted there was removed, and the rest of its file system is "
					       "mounted nowhere");
	return 0;
}

int mount_dump_collect(const struct dump *d, struct namespace *ns)
{
	struct mount_look look = { .d = d };
	AUTO_CLOSE int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (proc < 0)
		return fail_errno("opening /proc");
	if (!dump_mounts(d)) {
		TRY(libarchive_load());
		state_make(d->states, &mount_state);
		TRY(read_own_mounts(d, dump_mounts(d)));
	}
	look.space = ns->data = space_add(dump_mounts(d), d->pool, ns->id);
	look.space->namespace = ns;
	look.proc = proc;
	TRY(namespace_run_on(ns, 0, look_around, &look));
	TRY(add_mounts(d, look.space));
	for (struct mount *m = look.space->root; m; m = mount_next(m))
		TRY(dump_go_on(d, take_external(d, m)));
	for (struct mount *m = look.space->root; m; m = mount_next(m))
		TRY(dump_go_on(d, classify_mount(d, m)));
	space_count_supers(dump_mounts(d), look.space, d->pool);
	TRY(dump_go_on(d, check_removed(look.space)));
	for (struct mount *m = look.space->root; m; m = mount_next(m))
		TRY(dump_go_on(d, idmap_check_content(m)));
	TRY(pid_space_dump(d));
	log_info("%zu mounts", look.space->mounts.n);
	return 0;
}

/* What is made anew with its files gets those that its widest mount shows. */
static int check_parts(const struct mount_set *set)
{
	struct mount *m;

	for_each_mount(m, set) {
		const struct mount *widest = m->super->widest;

		if (widest && widest->fs && (widest->fs->content || widest->fs->pins) && !m->entry->deleted &&
		    !m->entry->has_space && !path_below(m->entry->root, widest->entry->root))
			return mount_refuse(m, "another part of its file system is mounted elsewhere, and the whole "
					       "of it nowhere");
	}
	return 0;
}

int mount_dump_finish(const struct dump *d)
{
	struct mount_set *set = dump_mounts(d);

	if (!set)
		return 0;
	TRY(dump_go_on(d, check_parts(set)));
	return dump_go_on(d, sharing_check(set, d->pool));
}

int mount_dump_root(const struct dump *d, const struct task *task)
{
	const struct namespace *ns =
		dump_mounts(d) ? namespace_of(dump_namespaces(d), task, namespace_kind_find(CLONE_NEWNS)) : NULL;
	const struct mount_space *space = ns && !ns->own ? ns->data : NULL;

	return space ? space->root_fd : -1;
}

int mount_dump_root_of(const struct dump *d, const struct task *task, int mnt_id)
{
	const struct mount *mount =
		dump_mounts(d) && dump_mounts(d)->by_id ? table_find(dump_mounts(d)->by_id, (uint64_t)mnt_id) : NULL;

	if (mount)
		return mount->space->root_fd;
	if (dump_mounts(d) && proc_mounts_find(&dump_mounts(d)->own, mnt_id))
		return -1;
	return mount_dump_root(d, task);
}

int mount_dump_id(const struct dump *d, int mnt_id)
{
	if (!dump_mounts(d) || !dump_mounts(d)->by_id)
		return 0;
	return table_find(dump_mounts(d)->by_id, (uint64_t)mnt_id) || proc_mounts_find(&dump_mounts(d)->own, mnt_id)
		       ? mnt_id
		       : 0;
}

bool mount_dump_has(const struct dump *d, int mnt_id)
{
	return dump_mounts(d) && dump_mounts(d)->by_id && mnt_id > 0 &&
	       table_find(dump_mounts(d)->by_id, (uint64_t)mnt_id);
}

const char *mount_dump_detached(const struct dump *d, int mnt_id)
{
	const struct mount *mount =
		dump_mounts(d) && dump_mounts(d)->by_id ? table_find(dump_mounts(d)->by_id, (uint64_t)mnt_id) : NULL;

	return mount && mount->entry->detached ? mount->entry->mountpoint : NULL;
}

const struct proc_mounts *mount_dump_seen(const struct dump *d, const struct task *task)
{
	const struct namespace *ns =
		dump_mounts(d) ? namespace_of(dump_namespaces(d), task, namespace_kind_find(CLONE_NEWNS)) : NULL;

	return ns && !ns->own && ns->data ? &((const struct mount_space *)ns->data)->seen : NULL;
}
