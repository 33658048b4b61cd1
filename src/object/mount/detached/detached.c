/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mounts that hang nowhere: those of open_tree(2) and fsmount(2) that are not attached (yet), and those of umount -l.
 * No list has them; they are found by the directories that tasks have open there, or are in. In the images they stand
 * below a place that no path leads to, /.criu-detached-ID, and a restore makes them like the others, but attaches them
 * nowhere.
 */
#include "object/mount/detached/detached.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/table.h"
#include "kern/mountapi.h"
#include "kern/pidfd.h"
#include "kern/proc/running.h"
#include "object/mount/collect.h"
#include "object/mount/fs/fs.h"
#include "object/mount/mount-set.h"
#include "object/mount/mount.h"
#include "object/mount/save.h"
#include "object/mount/tree.h"
#include "object/namespace/namespace.h"
#include "session/kernel-view.h"
#include "session/loss.h"
#include "session/survey.h"

#define DEEPEST 4096

/* MntEntry.detached */
enum { CANNOT_BE_ATTACHED = 1, CAN_BE_ATTACHED };

struct found {
	const struct dump *d;
	struct mount_space *space;
	struct statx st;	 /* of the directory */
	int root;		 /* that of the mount */
	struct proc_mount *seen; /* as mountinfo would tell it */
	bool waits;		 /* it belongs to a descriptor of open_tree(2) or fsmount(2), and can be attached */
	unsigned below;		 /* mounts upon it */
	int proc;		 /* our /proc */
};

static dev_t dev_of(const struct statx *st)
{
	return makedev(st->stx_dev_major, st->stx_dev_minor);
}

/*
 * Before Linux 6.15: whether it is the descriptor of open_tree(2) or fsmount(2) with which the mount ends, if it is not
 * attached. number < 0: it is none.
 */
static bool holds_mount(const struct dump *d, const struct task *task, int number)
{
	enum { NEED_UNMOUNT = 1 << 28 }; /* FMODE_NEED_UNMOUNT of linux/fs.h in the kernel's source */
	AUTO_CLOSE int fd = number < 0 ? -1 : pidfd_take_fd(task->dump->pidfd, number);
	const int flags = fd < 0 ? 0 : fcntl(fd, F_GETFL);
	struct kernel_view *view;
	uint32_t mode;
	const char *why;

	if (flags < 0 || !(flags & O_PATH))
		return false;
	view = kernel_view_get(d, &why);
	if (view && kernel_view_read(view, kernel_view_file(view, fd), "file", "f_mode", &mode, sizeof(mode)))
		return mode & NEED_UNMOUNT;
	dump_report_loss(d, "whether the mount of its descriptor %d, which is mounted nowhere, can be attached (%s)",
			 number, view ? "its place is unknown" : why);
	return false;
}

static bool is_known(const struct dump *d, int mnt_id)
{
	const struct mount_set *set = dump_mounts(d);

	if (table_find(set->by_id, (uint64_t)mnt_id) || proc_mounts_find(&set->own, mnt_id))
		return true;
	/* --skip-mnt */
	for (size_t i = 0; i < set->spaces.n; i++)
		if (proc_mounts_find(&set->spaces.items[i]->seen, mnt_id))
			return true;
	return false;
}

/* 1; 0: it is attached to another mount, in a namespace that is not that of the tree. */
static int open_root(const struct found *found, int dir, const char *name, int *ret)
{
	AUTO_CLOSE int fd = openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statx here, above;

	for (unsigned i = 0; fd >= 0 && i < DEEPEST; i++) {
		AUTO_CLOSE int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (up < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &here) < 0 ||
		    statx(up, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &above) < 0)
			return fail_errno("looking for the root of a mount that hangs nowhere");
		if (above.stx_mnt_id != found->st.stx_mnt_id)
			return 0;
		if (here.stx_ino == above.stx_ino && here.stx_mnt_id == above.stx_mnt_id) {
			*ret = TAKE_FD(fd);
			return 1;
		}
		close(fd);
		fd = TAKE_FD(up);
	}
	return fail_errno("opening a directory on a mount that hangs nowhere");
}

/* --- of open_tree(2) and fsmount(2): a copy of it is attached in a copy of the namespace, where mountinfo tells it ---
 */

static int read_row(struct found *found, int clone)
{
	AUTO(proc_mounts_done) struct proc_mounts all = { 0 };
	AUTO_CLOSE int self = openat(found->proc, "thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct proc_mount *row;
	struct statx st;

	if (self < 0 || statx(clone, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return fail_errno("looking at a copy of it");
	TRY(proc_mounts_read(self, found->d->pool, &all));
	row = proc_mounts_find(&all, (int)st.stx_mnt_id);
	if (!row)
		return refuse(EOPNOTSUPP, "its copy cannot be seen");
	for (size_t i = 0; i < all.n; i++)
		found->below += all.items[i].parent_id == row->id && all.items[i].id != row->id;
	found->seen = pool_copy(found->d->pool, row, sizeof(*row));
	return 0;
}

static int look_at_copy(void *arg)
{
	struct found *found = arg;
	AUTO_CLOSE int clone = (int)syscall(SYS_open_tree, found->root, "",
					    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	int error;

	found->waits = clone >= 0;
	if (!found->waits)
		return 0; /* of umount -l; before Linux 6.15 holds_mount() tells */
	if (unshare(CLONE_NEWNS) < 0 || mountapi_make_all_private() < 0)
		return fail_errno("making a copy of the mount namespace");
	error = mountapi_attach(clone, AT_FDCWD, "/");
	return error < 0 ? fail(-error, "attaching a copy of a mount that hangs nowhere") : read_row(found, clone);
}

/* --- of umount -l --- */

static unsigned long flags_of(const struct statvfs *st)
{
	static const struct {
		unsigned long shown, flag;
	} flags[] = { { ST_RDONLY, MS_RDONLY },	   { ST_NOSUID, MS_NOSUID },   { ST_NODEV, MS_NODEV },
		      { ST_NOEXEC, MS_NOEXEC },	   { ST_NOATIME, MS_NOATIME }, { ST_NODIRATIME, MS_NODIRATIME },
		      { ST_RELATIME, MS_RELATIME } };
	unsigned long all = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		all |= st->f_flag & flags[i].shown ? flags[i].flag : 0;
	return all;
}

/* Its file system is mounted nowhere else. */
static int describe_tmpfs(struct found *found, const struct statvfs *fs)
{
	struct pool *pool = found->d->pool;
	struct stat st;

	if (fstat(found->root, &st) < 0)
		return fail_errno("looking at its root");
	*found->seen = (struct proc_mount){
		.root = "/", .fs_type = "tmpfs", .source = "tmpfs", .options = "", .flags = flags_of(fs)
	};
	found->seen->super_options =
		fs->f_blocks ? pool_printf(pool, "rw,size=%luk,nr_inodes=%lu,mode=%o,uid=%u,gid=%u",
					   (unsigned long)(fs->f_blocks * fs->f_frsize / 1024),
					   (unsigned long)fs->f_files, st.st_mode & 07777u, st.st_uid, st.st_gid)
			     : pool_printf(pool, "rw,size=0,nr_inodes=0,mode=%o,uid=%u,gid=%u", st.st_mode & 07777u,
					   st.st_uid, st.st_gid);
	return 0;
}

struct root_handle {
	struct file_handle head;
	unsigned char bytes[MAX_HANDLE_SZ];
};

/* Where its root lies in the file system, by another mount of that. */
static int find_place(const struct found *found, const struct mount *like, const char **ret)
{
	struct root_handle handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	AUTO_CLOSE int clone = -1, top = -1, fd = -1;
	char name[64], link[PATH_MAX];
	struct stat ours, theirs;
	ssize_t size;
	int id;

	TRY(mount_reveal(found->d, like, &clone));
	if (fstat(clone, &theirs) < 0 || fstat(found->root, &ours) < 0)
		return fail_errno("looking at its root");
	*ret = like->seen->root;
	if (ours.st_ino == theirs.st_ino)
		return 0;
	top = openat(clone, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top >= 0 && name_to_handle_at(found->root, "", &handle.head, &id, AT_EMPTY_PATH) == 0)
		fd = open_by_handle_at(top, &handle.head, O_PATH | O_CLOEXEC);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	size = fd < 0 ? -1 : readlink(name, link, sizeof(link) - 1);
	if (size < 0)
		return -ENOENT;
	link[size] = '\0';
	*ret = pool_printf(found->d->pool, "%s%s", like->seen->root[1] ? like->seen->root : "", link);
	return 0;
}

static const struct mount *find_like(const struct found *found)
{
	const struct mount *widest = NULL;

	for (const struct mount *m = found->space->root; m; m = mount_next(m))
		if (m->seen->dev == dev_of(&found->st) && !m->entry->deleted &&
		    (!widest || strlen(m->seen->root) < strlen(widest->seen->root)))
			widest = m;
	return widest;
}

static int refuse_found(const struct found *found, const char *why)
{
	return refuse(
		EOPNOTSUPP,
		"it lies on mount %d, which is mounted nowhere (open_tree, fsmount, umount -l), and %s: close it, or "
		"attach the mount",
		(int)found->st.stx_mnt_id, why);
}

static int describe_umounted(struct found *found)
{
	const struct mount *like = find_like(found);
	struct statvfs fs;
	struct statfs magic;
	int error;

	if (fstatvfs(found->root, &fs) < 0 || fstatfs(found->root, &magic) < 0)
		return fail_errno("looking at its file system");
	found->seen = pool_new(found->d->pool, struct proc_mount);
	if (!like)
		return magic.f_type == TMPFS_MAGIC ? describe_tmpfs(found, &fs)
						   : refuse_found(found, "so is the rest of its file system");
	*found->seen = *like->seen;
	found->seen->flags = flags_of(&fs);
	error = find_place(found, like, &found->seen->root);
	return error == -ENOENT ? refuse_found(found, "where it lies in its file system cannot be found") : error;
}

/* --- both --- */

static int add_found(struct found *found)
{
	const struct dump *d = found->d;
	struct proc_mount *seen = found->seen;
	struct mount *mount;

	if (found->below)
		return refuse_found(found, "others are mounted upon it");
	if (seen->shared || seen->master)
		dump_report_loss(d, "the peers of mount %d, which is mounted nowhere", (int)found->st.stx_mnt_id);
	seen->shared = seen->master = seen->propagate_from = 0;
	seen->id = (int)found->st.stx_mnt_id;
	seen->parent_id = (int)found->space->root->entry->mnt_id;
	seen->dev = dev_of(&found->st);
	seen->mountpoint = pool_printf(d->pool, "/.criu-detached-%d", seen->id);
	mount = collect_add(d, found->space, seen);
	if (!mount)
		return refuse(EINVAL, "two mounts have the id %d", seen->id);
	mount->detached = TAKE_FD(found->root);
	mount->entry->has_detached = true;
	mount->entry->detached = found->waits ? CAN_BE_ATTACHED : CANNOT_BE_ATTACHED;
	mount_add_child(found->space->root, mount);
	TRY(collect_one(d, mount));
	if (mount->fs && mount->fs->late && !mount->from_root && !mount->entry->ext_key)
		return refuse_found(found, "its layers cannot be found from there");
	log_info("mount %d of %s hangs nowhere", seen->id, seen->fs_type);
	return 0;
}

/* Another descriptor has led to this mount. */
static void look_again(const struct dump *d, const struct task *task, int mnt_id, int number)
{
	const struct mount *mount = table_find(dump_mounts(d)->by_id, (uint64_t)mnt_id);

	if (mount && mount->entry->detached == CANNOT_BE_ATTACHED && holds_mount(d, task, number))
		mount->entry->detached = CAN_BE_ATTACHED;
}

/* name, in the directory of the task in /proc; number: if it is that of a descriptor */
static int look_at(const struct dump *d, struct mount_space *space, const struct task *task, const char *name,
		   int number)
{
	const int dir = task->dump->proc;
	struct found found = { .d = d, .space = space, .root = -1 };
	AUTO_CLOSE int proc = -1;
	uint32_t user = d->facts->ids || space->namespace->owner ? CLONE_NEWUSER : 0;
	int error;

	if (statx(dir, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_INO | STATX_MNT_ID, &found.st) <
		    0 ||
	    !S_ISDIR(found.st.stx_mode))
		return 0;
	LOG_SCOPE("%s", name);
	if (is_known(d, (int)found.st.stx_mnt_id)) {
		look_again(d, task, (int)found.st.stx_mnt_id, number);
		return 0;
	}
	proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return fail_errno("opening /proc");
	found.proc = proc;
	error = open_root(&found, dir, name, &found.root);
	if (error <= 0)
		return error;
	error = namespace_run_on(space->namespace, user, look_at_copy, &found);
	if (error == 0 && !found.seen)
		error = describe_umounted(&found);
	if (error == 0 && !found.waits)
		found.waits = holds_mount(d, task, number);
	if (error == 0)
		error = add_found(&found);
	auto_close(&found.root);
	return error;
}

struct detached_search {
	const struct dump *d;
	struct mount_space *space;
	const struct task *task;
	int error;
};

static bool is_directory(void *arg, const struct running_descriptor *one)
{
	(void)arg;
	return one->format == S_IFDIR;
}

static bool look_at_descriptor(void *arg, const struct running_descriptor *one)
{
	struct detached_search *search = arg;
	char name[32];

	snprintf(name, sizeof(name), "fd/%d", one->number);
	search->error = dump_go_on(search->d, look_at(search->d, search->space, search->task, name, one->number));
	return search->error < 0;
}

static int look_at_task(const struct dump *d, struct mount_space *space, const struct task *task,
			struct running_still *still)
{
	struct detached_search search = { d, space, task };

	TRY(dump_go_on(d, look_at(d, space, task, "cwd", -1)));
	TRY(dump_go_on(d, look_at(d, space, task, "root", -1)));
	if (still)
		running_visit_still(task->pid, task->dump->proc, still,
				    &(struct running_visitor){ d->file_iter, is_directory, look_at_descriptor,
							       &search });
	return search.error;
}

int detached_find(const struct dump *d)
{
	const struct namespace_kind *kind = namespace_kind_find(CLONE_NEWNS);
	AUTO(running_still_done) struct running_still still = { 0 };
	struct table *seen;
	struct task *task;
	int error = 0;

	if (!dump_mounts(d) || !dump_mounts(d)->by_id)
		return 0;
	seen = table_create();
	for_each_task(task, d->tree) {
		const struct namespace *ns = namespace_of(dump_namespaces(d), task, kind);

		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		if (error == 0 && task_is_live(task) && ns && !ns->own && ns->data)
			error = look_at_task(d, ns->data, task,
					     table_set(seen, task->ids->files_id, task) ? NULL : &still);
	}
	table_destroy(&seen);
	return error;
}
