/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dump of FUSE file systems whose server is in the tree: fuse-DEV.img. What the server has once answered to FUSE_INIT
 * shows in the kernel's memory only. Nothing here may wait for the server, which stands still: no path is walked into
 * such a mount, and no file of it is looked at.
 */
#include "object/mount/fs/fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "image/record.h"
#include "kern/pidfd.h"
#include "object/mount/collect.h"
#include "object/mount/fs/fuse-view.h"
#include "object/mount/mount-set.h"
#include "object/mount/mount.h"
#include "object/mount/tree.h"
#include "session/loss.h"
#include "session/session.h"

#ifndef FUSE_CREATE_SUPP_GROUP
#define FUSE_CREATE_SUPP_GROUP (1ULL << 34)
#endif
#ifndef FUSE_DIRECT_IO_ALLOW_MMAP
#define FUSE_DIRECT_IO_ALLOW_MMAP (1ULL << 36)
#endif

#define MISC_MAJOR 10
#define FUSE_MINOR 229

/* What the kernel has of an answer to FUSE_INIT as bits; two of them say the contrary. */
static const struct {
	enum fuse_place place;
	uint64_t flag;
	bool without;
} answers[] = {
	{ AT_fuse_conn_async_read, FUSE_ASYNC_READ },
	{ AT_fuse_conn_no_lock, FUSE_POSIX_LOCKS, .without = true },
	{ AT_fuse_conn_no_flock, FUSE_FLOCK_LOCKS, .without = true },
	{ AT_fuse_conn_atomic_o_trunc, FUSE_ATOMIC_O_TRUNC },
	{ AT_fuse_conn_export_support, FUSE_EXPORT_SUPPORT },
	{ AT_fuse_conn_big_writes, FUSE_BIG_WRITES },
	{ AT_fuse_conn_dont_mask, FUSE_DONT_MASK },
	{ AT_fuse_conn_auto_inval_data, FUSE_AUTO_INVAL_DATA },
	{ AT_fuse_conn_explicit_inval_data, FUSE_EXPLICIT_INVAL_DATA },
	{ AT_fuse_conn_do_readdirplus, FUSE_DO_READDIRPLUS },
	{ AT_fuse_conn_readdirplus_auto, FUSE_READDIRPLUS_AUTO },
	{ AT_fuse_conn_async_dio, FUSE_ASYNC_DIO },
	{ AT_fuse_conn_writeback_cache, FUSE_WRITEBACK_CACHE },
	{ AT_fuse_conn_parallel_dirops, FUSE_PARALLEL_DIROPS },
	{ AT_fuse_conn_handle_killpriv, FUSE_HANDLE_KILLPRIV },
	{ AT_fuse_conn_handle_killpriv_v2, FUSE_HANDLE_KILLPRIV_V2 },
	{ AT_fuse_conn_posix_acl, FUSE_POSIX_ACL },
	{ AT_fuse_conn_abort_err, FUSE_ABORT_ERROR },
	{ AT_fuse_conn_cache_symlinks, FUSE_CACHE_SYMLINKS },
	{ AT_fuse_conn_setxattr_ext, FUSE_SETXATTR_EXT },
	{ AT_fuse_conn_init_security, FUSE_SECURITY_CTX },
	{ AT_fuse_conn_create_supp_group, FUSE_CREATE_SUPP_GROUP },
	{ AT_fuse_conn_direct_io_allow_mmap, FUSE_DIRECT_IO_ALLOW_MMAP },
};

/* --- who serves it --- */

/* The connection behind a struct file of /dev/fuse; 0: nothing has been mounted with it. */
static uint64_t connection_of(struct fuse_view *view, uint64_t file)
{
	uint64_t device = fuse_view_member(view, file, AT_file_private_data);

	/* The kernel marks by a small number that its server wants to be asked at once (FUSE_DEV_IOC_SYNC_INIT). */
	return device > 1 ? fuse_view_member(view, device & ~(uint64_t)1, AT_fuse_dev_fc) : 0;
}

static uint64_t find_connection(struct fuse_view *view, int fd)
{
	return connection_of(view, fuse_view_file(view, fd));
}

int mount_dump_fuse_device(const struct dump *d, int proc, int number, dev_t *ret)
{
	struct fuse_view *view;
	uint64_t file, connection, dev;

	TRY(fuse_view_get(d, &view));
	TRY(fuse_view_file_of(d, proc, number, &file));
	connection = connection_of(view, file);
	dev = connection ? fuse_view_member(view, connection, AT_fuse_conn_dev) : 0;
	*ret = makedev((unsigned)(dev >> 20), (unsigned)dev & 0xfffff);
	return view->error ? fuse_view_give_up(view) : connection != 0;
}

static bool is_device(const struct task *task, const char *name)
{
	struct statx st;

	return statx(task->dump->proc, name, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
	       S_ISCHR(st.stx_mode) && st.stx_rdev_major == MISC_MAJOR && st.stx_rdev_minor == FUSE_MINOR;
}

static int look_at_device(struct fuse_view *view, const struct task *task, int number, uint32_t dev, uint64_t *ret)
{
	AUTO_CLOSE int fd = pidfd_take_fd(task->dump->pidfd, number);
	uint64_t connection = fd < 0 ? 0 : find_connection(view, fd); /* closed meanwhile, in a survey */

	if (view->error)
		return fuse_view_give_up(view);
	if (connection && (uint32_t)fuse_view_member(view, connection, AT_fuse_conn_dev) == dev)
		*ret = connection;
	return 0;
}

static int find_in_task(struct fuse_view *view, const struct task *task, uint32_t dev, uint64_t *ret)
{
	AUTO_FREE int *numbers = NULL;
	int n = fd_list(task->dump->proc, "fd", &numbers);
	char path[32];

	for (int i = 0; i < n && !*ret; i++) {
		snprintf(path, sizeof(path), "fd/%d", numbers[i]);
		if (is_device(task, path))
			TRY(look_at_device(view, task, numbers[i], dev, ret));
	}
	return 0;
}

/* The connection of the file system; 0: nobody of the tree serves it. */
static int find_server(const struct dump *d, uint32_t dev, uint64_t *ret)
{
	struct fuse_view *view;
	const struct task *task;

	*ret = 0;
	TRY(fuse_view_get(d, &view));
	for_each_task(task, d->tree)
		if (task_is_live(task) && !*ret)
			TRY(find_in_task(view, task, dev, ret));
	return 0;
}

/* --- who uses it --- */

/* Not refused but failed: who would go on looking at such files waits for a server that stands still. */
static int fail_use(const struct task *task, const struct mount *mount, const char *what)
{
	return fail(EOPNOTSUPP,
		    "task %d has %s on %s, a FUSE file system that is served in the tree: that cannot be restored "
		    "before its server runs; close it before the dump",
		    task->vpid, what, mount->entry->mountpoint);
}

static bool is_there(const struct task *task, const char *name, const struct mount *mount, mode_t *ret_mode)
{
	struct statx st;

	if (statx(task->dump->proc, name, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return false;
	*ret_mode = st.stx_mode & S_IFMT;
	return makedev(st.stx_dev_major, st.stx_dev_minor) == mount->seen->dev;
}

static int check_descriptors(const struct task *task, const struct mount *mount)
{
	AUTO_FREE int *numbers = NULL;
	int n = fd_list(task->dump->proc, "fd", &numbers);
	char path[32];
	mode_t mode;

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "fd/%d", numbers[i]);
		if (!is_there(task, path, mount, &mode) || mode == S_IFREG || mode == S_IFDIR)
			continue;
		snprintf(path, sizeof(path), "descriptor %d", numbers[i]);
		return fail_use(task, mount, path);
	}
	return 0;
}

/* Regular files and current directories are for mount_dump_fuse_file(). */
static int check_uses(const struct dump *d, const struct mount *mount)
{
	const struct task *task;
	mode_t mode;

	for_each_task(task, d->tree) {
		if (!task_is_live(task))
			continue;
		if (is_there(task, "root", mount, &mode))
			return fail_use(task, mount, "its root directory");
		TRY(check_descriptors(task, mount));
	}
	return 0;
}

/* --- files in use --- */

struct noted_node {
	struct noted_node *next;
	uint32_t dev;
	FuseNode record;
};

/* Of a dump; the last one that was noted is the first. */
struct noted_nodes {
	struct noted_node *first;
};

static const struct state_type nodes_state = { sizeof(struct noted_nodes), NULL };

static struct noted_node *find_node(const struct noted_nodes *nodes, uint32_t dev, uint64_t id)
{
	struct noted_node *node = nodes->first;

	while (node && (node->dev != dev || node->record.id != id))
		node = node->next;
	return node;
}

static uint64_t fuse_inode_of(struct fuse_view *view, uint64_t dentry)
{
	return fuse_view_member(view, dentry, AT_dentry_d_inode) - view->places[AT_fuse_inode_inode].offset;
}

static char *read_name(const struct dump *d, struct fuse_view *view, uint64_t dentry)
{
	uint64_t name = fuse_view_place(view, dentry, AT_dentry_d_name);
	uint64_t size = fuse_view_member(view, name, AT_qstr_len);
	char text[NAME_MAX + 1] = "";

	fuse_view_read(view, fuse_view_member(view, name, AT_qstr_name), text, size < sizeof(text) ? size : NAME_MAX);
	return pool_string(d->pool, text);
}

/* With all above it. The root has no number of its own: it is always FUSE_ROOT_ID. */
static void note_node(const struct dump *d, struct fuse_view *view, uint32_t dev, uint64_t dentry)
{
	struct noted_nodes *nodes = state_get(d->states, &nodes_state);
	uint64_t inode = fuse_view_member(view, dentry, AT_dentry_d_inode), fuse = fuse_inode_of(view, dentry),
		 parent = fuse_view_member(view, dentry, AT_dentry_d_parent),
		 id = fuse_view_member(view, fuse, AT_fuse_inode_nodeid);
	bool is_root = parent == dentry;
	struct noted_node *node;

	if (view->error || find_node(nodes, dev, id))
		return;
	if (!is_root)
		note_node(d, view, dev, parent);
	node = pool_new(d->pool, struct noted_node);
	fuse_node__init(&node->record);
	node->dev = dev;
	node->record.id = id;
	node->record.generation = (uint32_t)fuse_view_member(view, inode, AT_inode_i_generation);
	node->record.parent = is_root ? 0 : fuse_view_member(view, fuse_inode_of(view, parent), AT_fuse_inode_nodeid);
	node->record.name = is_root ? pool_string(d->pool, "") : read_name(d, view, dentry);
	node->record.mode = (uint32_t)fuse_view_member(view, inode, AT_inode_i_mode);
	node->record.uid = (uint32_t)fuse_view_member(view, inode, AT_inode_i_uid);
	node->record.gid = (uint32_t)fuse_view_member(view, inode, AT_inode_i_gid);
	node->record.nlink = (uint32_t)fuse_view_member(view, inode, AT_inode_i_nlink);
	node->record.size = fuse_view_member(view, inode, AT_inode_i_size);
	node->next = nodes->first;
	nodes->first = node;
}

bool mount_dump_is_served(const struct dump *d, dev_t dev)
{
	const struct superblock *super = dump_mounts(d) ? dump_mounts(d)->supers : NULL;

	for (; super; super = super->next)
		if (super->widest && super->widest->entry->fstype == FSTYPE__FUSE && super->widest->seen->dev == dev)
			return true;
	return false;
}

bool mount_dump_serves(const struct dump *d)
{
	const struct superblock *super = dump_mounts(d) ? dump_mounts(d)->supers : NULL;

	while (super && (!super->widest || super->widest->entry->fstype != FSTYPE__FUSE))
		super = super->next;
	return super;
}

/* Locks that the kernel keeps show in fdinfo, as those of any file do. */
static int check_flock(struct fuse_view *view, uint64_t opened)
{
	if (!fuse_view_member(view, opened, AT_fuse_file_flock))
		return 0;
	return refuse(EOPNOTSUPP,
		      "it is locked at its server, which is in the tree and knows by a number of the kernel's "
		      "who has locked it (flock(2), FUSE_FLOCK_LOCKS): unlock and close it before the dump");
}

int mount_dump_fuse_file(const struct dump *d, uint64_t file, dev_t dev, bool open, bool removed, FuseFileEntry *record)
{
	struct fuse_view *view;
	uint64_t dentry;

	TRY(fuse_view_get(d, &view));
	dentry = fuse_view_member(view, fuse_view_place(view, file, AT_file_f_path), AT_path_dentry);
	record->connection = (uint32_t)(major(dev) << 20 | minor(dev));
	note_node(d, view, record->connection, dentry);
	record->has_removed = record->removed = removed;
	record->node = fuse_view_member(view, fuse_inode_of(view, dentry), AT_fuse_inode_nodeid);
	if (open) {
		uint64_t opened = fuse_view_member(view, file, AT_file_private_data);

		record->has_handle = record->has_open_flags = true;
		record->handle = fuse_view_member(view, opened, AT_fuse_file_fh);
		record->open_flags = (uint32_t)fuse_view_member(view, opened, AT_fuse_file_open_flags);
		TRY(check_flock(view, opened));
	}
	return view->error ? fuse_view_give_up(view) : 0;
}

static void add_nodes(const struct dump *d, uint32_t dev, FuseEntry *record)
{
	const struct noted_nodes *nodes = state_get(d->states, &nodes_state);
	size_t n = 0;

	for (struct noted_node *node = nodes->first; node; node = node->next)
		n += node->dev == dev;
	record->nodes = pool_array(d->pool, FuseNode *, n + 1);
	record->n_nodes = n;
	for (struct noted_node *node = nodes->first; node; node = node->next)
		if (node->dev == dev)
			record->nodes[--n] = &node->record;
}

/* --- dump --- */

static const char *find_obstacle(struct fuse_view *view, uint64_t connection)
{
	if (!fuse_view_member(view, connection, AT_fuse_conn_connected))
		return "its connection was ended";
	if (fuse_view_member(view, connection, AT_fuse_conn_ring))
		return "it is served by an io_uring";
	if (fuse_view_member(view, connection, AT_fuse_conn_passthrough))
		return "its server lets the kernel pass through to other files (FUSE_PASSTHROUGH)";
	if (fuse_view_member(view, connection, AT_fuse_conn_inode_dax))
		return "its server gives it memory of its own (FUSE_HAS_INODE_DAX)";
	if (fuse_view_member(view, connection, AT_fuse_conn_writeback_cache) &&
	    (uint32_t)fuse_view_member(view, connection, AT_fuse_conn_num_waiting))
		return "the kernel writes to it (FUSE_WRITEBACK_CACHE): try again";
	return NULL;
}

/* Of these the kernel keeps nothing. */
static void tell_of_locks(const struct dump *d, struct fuse_view *view, uint64_t connection, const struct mount *mount)
{
	if (!fuse_view_member(view, connection, AT_fuse_conn_no_lock))
		dump_report_loss(
			d,
			"%s: its server keeps locks of fcntl(2) itself, if anybody has one (FUSE_POSIX_LOCKS): "
			"to it these are those of somebody else afterwards",
			mount->entry->mountpoint);
}

/* Whoever waits for an answer does not stand still. */
static void tell_of_requests(const struct dump *d, struct fuse_view *view, uint64_t connection,
			     const struct mount *mount)
{
	uint32_t n = (uint32_t)fuse_view_member(view, connection, AT_fuse_conn_num_waiting);

	if (n)
		dump_report_loss(d,
				 "%s: %u requests to its server for whose answers nobody waits: what was closed just "
				 "now may stay open there",
				 mount->entry->mountpoint, n);
}

int fuse_dump(const struct dump *d, struct mount *mount)
{
	uint64_t connection;
	struct fuse_view *view;
	const char *obstacle;

	TRY(find_server(d, mount->entry->root_dev, &connection));
	if (!connection)
		return 0;
	TRY(fuse_view_get(d, &view));
	if (strcmp(mount->entry->root, "/") != 0)
		return mount_refuse(mount, "a part of a FUSE file system that is served in the tree is mounted there");
	if (!list_empty(&mount->children))
		return mount_refuse(mount, "something is mounted in it, a FUSE file system that is served in the tree");
	obstacle = find_obstacle(view, connection);
	if (view->error)
		return fuse_view_give_up(view);
	if (obstacle)
		return mount_refuse(mount, obstacle);
	TRY(check_uses(d, mount));
	tell_of_requests(d, view, connection, mount);
	tell_of_locks(d, view, connection, mount);
	return 1;
}

static void fill_record(struct fuse_view *view, uint64_t connection, FuseEntry *record)
{
	uint64_t super = fuse_view_member(view,
					  fuse_view_member(view, connection, AT_fuse_conn_mounts) -
						  view->places[AT_fuse_mount_fc_entry].offset,
					  AT_fuse_mount_sb);

	record->minor = (uint32_t)fuse_view_member(view, connection, AT_fuse_conn_minor);
	record->max_readahead = (uint32_t)(fuse_view_member(view, fuse_view_member(view, super, AT_super_block_s_bdi),
							    AT_backing_dev_info_ra_pages) *
					   (uint64_t)sysconf(_SC_PAGESIZE));
	record->max_background = (uint32_t)fuse_view_member(view, connection, AT_fuse_conn_max_background);
	record->congestion_threshold = (uint32_t)fuse_view_member(view, connection, AT_fuse_conn_congestion_threshold);
	record->max_write = (uint32_t)fuse_view_member(view, connection, AT_fuse_conn_max_write);
	record->time_gran = (uint32_t)fuse_view_member(view, super, AT_super_block_s_time_gran);
	record->max_pages = (uint32_t)fuse_view_member(view, connection, AT_fuse_conn_max_pages);
	record->has_no_open = record->has_no_opendir = true;
	record->no_open = fuse_view_member(view, connection, AT_fuse_conn_no_open);
	record->no_opendir = fuse_view_member(view, connection, AT_fuse_conn_no_opendir);
	record->flags = FUSE_MAX_PAGES;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		if (view->places[answers[i].place].size &&
		    !fuse_view_member(view, connection, answers[i].place) == answers[i].without)
			record->flags |= answers[i].flag;
}

int fuse_save(struct dump *d, const struct superblock *super)
{
	const struct mount *mount = super->widest;
	FuseEntry record = FUSE_ENTRY__INIT;
	uint64_t connection;
	struct fuse_view *view;
	struct statx st;

	LOG_SCOPE("%.80s", mount->entry->mountpoint);
	TRY(find_server(d, super->dev, &connection));
	TRY(fuse_view_get(d, &view));
	fill_record(view, connection, &record);
	add_nodes(d, super->dev, &record);
	if (view->error || !connection)
		return fuse_view_give_up(view);
	record.root_mode = S_IFDIR;
	if (statx(mount->space->root_fd, mount->entry->mountpoint + 1, AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
	    makedev(st.stx_dev_major, st.stx_dev_minor) == mount->seen->dev)
		record.root_mode = st.stx_mode & S_IFMT;
	return image_write_one(dump_store(d), IMAGE_FUSE, &record, super->dev);
}

int mount_dump_fuse(const struct dump *d, int fd, uint32_t *ret_dev)
{
	struct fuse_view *view;
	uint64_t connection;
	const struct superblock *super;

	TRY(fuse_view_get(d, &view));
	connection = find_connection(view, fd);
	*ret_dev = connection ? (uint32_t)fuse_view_member(view, connection, AT_fuse_conn_dev) : 0;
	if (view->error)
		return fuse_view_give_up(view);
	if (!connection)
		return 0;
	for (super = dump_mounts(d) ? dump_mounts(d)->supers : NULL; super; super = super->next)
		if (super->dev == *ret_dev && super->widest)
			return 1;
	return -ENOENT;
}
