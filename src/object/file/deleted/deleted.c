/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files whose path does not lead to them any more. Without any name left: the content goes into an image ("ghost").
 * With a name elsewhere: it gets one more beside the old one (--link-remap). Of a dead process below /proc: a helper
 * stands in for it (procfs.c).
 */
#include "object/file/deleted/deleted.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/table.h"
#include "base/text.h"
#include "base/vector.h"
#include "image/image.h"
#include "image/record.h"
#include "kern/proc/mountinfo.h"
#include "object/file/deleted/ghost-restore.h"
#include "object/file/deleted/ghost.h"
#include "object/file/deleted/link-remap.h"
#include "object/file/file.h"
#include "object/file/regular/procfs.h"
#include "object/file/regular/regular.h"
#include "object/mount/mount.h"

#define DELETED	       " (deleted)"
#define OLD_GHOST_FLAG (1u << 31)

struct deleted_set {
	VECTOR(RemapFilePathEntry *) remaps;
	struct table *ghosts, *links; /* dev, ino → id */
	struct table *mounts;	      /* ids of those that have a place */
	uint32_t last_ghost;
};

static void destroy_set(void *state)
{
	struct deleted_set *set = state;

	table_destroy(&set->ghosts);
	table_destroy(&set->links);
	table_destroy(&set->mounts);
	vector_done(&set->remaps);
}

static const struct state_type deleted_set_state = { sizeof(struct deleted_set), destroy_set };

static struct deleted_set *get_set(const struct dump *d)
{
	struct deleted_set *set = state_get(d->states, &deleted_set_state);

	if (!set->ghosts) {
		set->ghosts = table_create();
		set->links = table_create();
		set->mounts = table_create();
	}
	return set;
}

static bool leads_to(const struct dump *d, const char *path, const struct open_file *of)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	struct stat st;

	if (mount_stay_begin(mount_dump_root_of(d, of->task, of->mnt_id), &stay) < 0)
		return false;

	/* A descriptor of a symbolic link itself is O_PATH | O_NOFOLLOW. */
	if ((S_ISLNK(of->stat.st_mode) ? lstat(path, &st) : stat(path, &st)) < 0)
		return false;
	return st.st_dev == of->stat.st_dev && st.st_ino == of->stat.st_ino;
}

static void add_remap(const struct dump *d, const RegFileEntry *record, RemapType type, uint32_t remap_id)
{
	RemapFilePathEntry *entry = *vector_push(&get_set(d)->remaps) = pool_new(d->pool, RemapFilePathEntry);

	remap_file_path_entry__init(entry);
	entry->orig_id = record->id;
	entry->remap_id = remap_id;
	entry->has_remap_type = true;
	entry->remap_type = type;
}

static int dump_ghost(const struct dump *d, const struct open_file *of, const RegFileEntry *record)
{
	struct deleted_set *set = get_set(d);
	uintptr_t id = (uintptr_t)table_find2(set->ghosts, of->stat.st_dev, of->stat.st_ino);

	if (!id) {
		id = ++set->last_ghost;
		TRY(ghost_dump(d, of, (uint32_t)id));
		table_set2(set->ghosts, of->stat.st_dev, of->stat.st_ino, (void *)id);
	}
	add_remap(d, record, REMAP_TYPE__GHOST, (uint32_t)id);
	return 0;
}

/* One more name, used by all who have the file open. */
static int save_link(struct dump *d, const struct open_file *of, void *arg)
{
	const RegFileEntry *record = arg;
	struct deleted_set *set = get_set(d);
	uint32_t id = (uint32_t)(uintptr_t)table_find2(set->links, of->stat.st_dev, of->stat.st_ino);

	if (!id) {
		TRY(relink_dump(d, of, record->name, &id));
		table_set2(set->links, of->stat.st_dev, of->stat.st_ino, (void *)(uintptr_t)id);
	}
	add_remap(d, record, REMAP_TYPE__LINKED, id);
	return 0;
}

static int dump_link(const struct dump *d, const struct open_file *of, RegFileEntry *record)
{
	if (!d->options->link_remap)
		return refuse(
			EOPNOTSUPP,
			"this name of the file was removed or is another file now, but it has %lu names elsewhere: "
			"--link-remap lets the dump make one more",
			(unsigned long)of->stat.st_nlink);
	file_dump_save(d, save_link, record);
	return 0;
}

/*
 * Below /proc/PID of a process or thread that is dead. Somebody else may have its number by now. For the restore it is
 * dead in any case.
 */
static int dump_dead(const struct dump *d, const struct open_file *of, const RegFileEntry *record)
{
	struct procfs_name name;

	if (of->fs_magic != PROC_SUPER_MAGIC || !procfs_parse_name(record->name, &name))
		return -ENOENT;
	if (procfs_is_of_descriptor(&name))
		return refuse(EOPNOTSUPP,
			      "it tells of a descriptor or of memory that process %d has no more: let the "
			      "program close it before the dump",
			      name.pid);
	add_remap(d, record, REMAP_TYPE__PROCFS, (uint32_t)(name.tid ? name.tid : name.pid));
	return 0;
}

static int add_mounts(const struct dump *d, struct table *mounts, int proc)
{
	AUTO(proc_mounts_done) struct proc_mounts all = { 0 };

	TRY(proc_mounts_read(proc, d->pool, &all));
	for (size_t i = 0; i < all.n; i++)
		table_set(mounts, (uint64_t)all.items[i].id, d->pool);
	return 0;
}

/* Its path leads to a file on the very same mount, and only those that hang somewhere can be reached. */
static bool is_reached(const struct dump *d, const struct open_file *of)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	struct statx stx;

	return mount_stay_begin(mount_dump_root_of(d, of->task, of->mnt_id), &stay) == 0 &&
	       statx(AT_FDCWD, of->link, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_MNT_ID,
		     &stx) == 0 &&
	       stx.stx_mask & STATX_MNT_ID && (int)stx.stx_mnt_id == of->mnt_id;
}

/* A mount that hangs nowhere (open_tree(2), fsmount(2), umount -l) may show the very paths of another one. */
static int check_mount(const struct dump *d, const struct open_file *of)
{
	struct table *mounts = get_set(d)->mounts;
	AUTO_CLOSE int self = -1;

	/* Those of saved namespaces hang somewhere, also if it is not the task's own. */
	if (table_find(mounts, (uint64_t)of->mnt_id) || mount_dump_has(d, of->mnt_id))
		return 0;
	if (is_reached(d, of)) { /* the kernel prints the list of all mounts slowly */
		table_set(mounts, (uint64_t)of->mnt_id, d->pool);
		return 0;
	}
	self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (self < 0)
		return fail_errno("opening /proc/self");
	TRY(add_mounts(d, mounts, self));
	TRY(add_mounts(d, mounts, of->task->dump->proc));
	if (table_find(mounts, (uint64_t)of->mnt_id))
		return 0;
	return refuse(EOPNOTSUPP,
		      "it lies on mount %d, which is mounted nowhere (open_tree, fsmount, umount -l): close it, or "
		      "attach the mount",
		      of->mnt_id);
}

static bool is_there(const struct dump *d, const char *name, const struct open_file *of)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;

	return mount_stay_begin(mount_dump_root_of(d, of->task, of->mnt_id), &stay) == 0 && access(name, F_OK) == 0;
}

/* Another mount lies upon that of the file, which restore makes again: the path leads to it there. */
static bool is_covered(const struct dump *d, const struct open_file *of)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	struct statx stx;

	if (!mount_dump_has(d, of->mnt_id) || mount_stay_begin(mount_dump_root_of(d, of->task, of->mnt_id), &stay) < 0)
		return false;
	return statx(AT_FDCWD, of->link, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_MNT_ID, &stx) < 0 ||
	       (int)stx.stx_mnt_id != of->mnt_id;
}

/* Paths there begin in the root of the mount. */
static int dump_detached(const struct dump *d, const struct open_file *of, const char *place, RegFileEntry *record)
{
	if (text_ends(of->link, DELETED) || of->stat.st_nlink == 0)
		return refuse(EOPNOTSUPP, "it was removed from mount %d, which is mounted nowhere: close it",
			      of->mnt_id);
	record->name = pool_printf(d->pool, "%s%s", place, of->link[1] ? of->link : "");
	return 0;
}

int deleted_dump(const struct dump *d, const struct open_file *of, RegFileEntry *record)
{
	const char *detached = mount_dump_detached(d, of->mnt_id);
	bool deleted = text_ends(of->link, DELETED);
	char *name;
	int dead;

	if (detached)
		return dump_detached(d, of, detached, record);
	/* A file is the same through every mount: one that was opened outside, before the task entered its mount
	 * namespace, is fine. */
	if (leads_to(d, of->link, of))
		return S_ISDIR(of->stat.st_mode) ? check_mount(d, of) : 0;
	if (of->fs_magic == SECRETMEM_MAGIC)
		return refuse(EOPNOTSUPP, "this is secret memory (memfd_secret): nobody else may read it");
	name = pool_string(d->pool, of->link);
	if (deleted)
		name[strlen(name) - strlen(DELETED)] = 0;
	record->name = name;
	if (deleted && leads_to(d, name, of))
		return 0; /* another link of that name was put there again */
	dead = dump_dead(d, of, record);
	if (dead != -ENOENT)
		return dead;
	/* A removed directory of btrfs still counts one link. */
	if (of->stat.st_nlink == 0 || (deleted && (S_ISDIR(of->stat.st_mode) || relink_is_nameless(d, of, name))))
		return dump_ghost(d, of, record);
	TRY(check_mount(d, of));
	if (!deleted && is_covered(d, of))
		return 0;
	if (!deleted && (S_ISDIR(of->stat.st_mode) || !is_there(d, name, of)))
		return refuse(
			EOPNOTSUPP,
			"its path cannot be reached from here: it lies on a mount that is hidden or of another mount "
			"namespace");
	return dump_link(d, of, record);
}

int deleted_write(struct dump *d)
{
	const struct deleted_set *set = get_set(d);
	AUTO(image_close) struct image *image = NULL;

	if (!set->remaps.n)
		return 0;
	TRY(image_create(dump_store(d), &image, IMAGE_REMAP_FPATH));
	for (size_t i = 0; i < set->remaps.n; i++)
		TRY(image_write(image, set->remaps.items[i]));
	return image_finish(&image);
}

/* --- restore --- */

struct deleted_restore {
	bool resumed;	      /* the restore has gone well */
	struct table *remaps; /* by orig_id */
	struct table *ghosts; /* by ghost id */
	VECTOR(struct remap *) all;
	struct procfs_helpers helpers;
};

static void destroy_restore(void *state)
{
	struct deleted_restore *set = state;

	for (size_t i = 0; i < set->all.n; i++) {
		auto_close(&set->all.items[i]->fd);
		auto_close(&set->all.items[i]->opened);
	}
	vector_done(&set->all);
	table_destroy(&set->remaps);
	table_destroy(&set->ghosts);
}

static const struct state_type deleted_restore_state = { sizeof(struct deleted_restore), destroy_restore };

static struct deleted_restore *get_restore(const struct restore *r)
{
	struct deleted_restore *set = state_get(r->states, &deleted_restore_state);

	if (!set->remaps) {
		set->remaps = table_create();
		set->ghosts = table_create();
	}
	return set;
}

static void add_user(const struct restore *r, struct deleted_restore *set, struct remap *remap)
{
	struct ghost *ghost = table_find(set->ghosts, remap->id);

	if (!ghost) {
		ghost = pool_new(r->pool, struct ghost);
		ghost->id = remap->id;
		table_set(set->ghosts, ghost->id, ghost);
	}
	remap->same = ghost->users;
	ghost->users = remap;
}

static int load_remap(const struct restore *r, struct image *image, const RemapFilePathEntry *entry)
{
	struct deleted_restore *set = get_restore(r);
	struct remap *remap = pool_new(r->pool, struct remap);
	const struct file *f = file_find(r, entry->orig_id);

	remap->entry = entry;
	remap->fd = remap->opened = -1;
	remap->id = entry->remap_id;
	remap->type = entry->remap_type;
	if (!entry->has_remap_type) {
		remap->type = entry->remap_id & OLD_GHOST_FLAG ? REMAP_TYPE__GHOST : REMAP_TYPE__LINKED;
		remap->id &= ~OLD_GHOST_FLAG;
	}
	if (!f || !f->entry->reg || f->entry->reg->name[0] != '/')
		return image_refuse(image, "file %u has no record with a path", entry->orig_id);
	remap->record = f->entry->reg;
	if (table_set(set->remaps, entry->orig_id, remap))
		return image_refuse(image, "file %u is there twice", entry->orig_id);
	if (remap->type == REMAP_TYPE__GHOST)
		add_user(r, set, remap);
	*vector_push(&set->all) = remap;
	return 0;
}

int deleted_prepare(const struct restore *r)
{
	AUTO(image_close) struct image *image = NULL;
	RemapFilePathEntry *entry;
	int more = image_open(r->store, &image, IMAGE_REMAP_FPATH);

	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(image, &entry)) > 0)
		TRY(load_remap(r, image, entry));
	return more;
}

int deleted_find_link(const struct restore *r, const RegFileEntry *record, const RegFileEntry **ret)
{
	const struct remap *remap = table_find(get_restore(r)->remaps, record->id);

	*ret = NULL;
	if (!remap)
		return 0;
	if (remap->type == REMAP_TYPE__LINKED)
		TRY(regular_find_record(r, remap->id, ret));
	return 1;
}

bool deleted_is_of_dead(const struct restore *r, const RegFileEntry *record)
{
	const struct remap *remap = table_find(get_restore(r)->remaps, record->id);

	return remap && remap->type == REMAP_TYPE__PROCFS;
}

void deleted_settle(struct restore *r)
{
	procfs_end_helpers(&get_restore(r)->helpers);
}

static int find_stand_in(struct restore *r, const RegFileEntry *record, struct remap **ret)
{
	struct deleted_restore *set = get_restore(r);
	struct remap *remap = table_find(set->remaps, record->id);

	if (!remap)
		return -ENOENT;
	if (remap->fd < 0 && remap->type == REMAP_TYPE__GHOST)
		TRY(ghost_create(r, table_find(set->ghosts, remap->id)));
	else if (remap->fd < 0 && remap->type == REMAP_TYPE__LINKED)
		TRY(relink_find(r, remap));
	*ret = remap;
	return 0;
}

int deleted_open(struct restore *r, const RegFileEntry *record, int flags, int *ret_fd)
{
	struct remap *remap = NULL;
	char name[32];

	TRY(find_stand_in(r, record, &remap));
	if (remap->type == REMAP_TYPE__PROCFS)
		return procfs_open_dead(r, &get_restore(r)->helpers, (pid_t)remap->id, record, flags, ret_fd);
	if (remap->opened >= 0) {
		*ret_fd = TAKE_FD(remap->opened);
		return 0;
	}
	/* The only way to a symbolic link itself; such a descriptor has no state. */
	if (flags & O_PATH && flags & O_NOFOLLOW) {
		*ret_fd = fcntl(remap->fd, F_DUPFD_CLOEXEC, 3);
		return *ret_fd < 0 ? fail_errno("duplicating a descriptor") : 0;
	}
	snprintf(name, sizeof(name), "/proc/self/fd/%d", remap->fd);
	*ret_fd = open(name, flags & ~O_NOFOLLOW);
	return *ret_fd < 0 ? fail_errno("opening it again with flags 0%o", flags) : 0;
}

int deleted_resume(struct restore *r)
{
	get_restore(r)->resumed = true;
	return 0;
}

void deleted_clean(struct restore *r)
{
	struct deleted_restore *set = get_restore(r);

	procfs_end_helpers(&set->helpers);
	/* After a failure, or when they were only looked at, the images shall be as good as before. */
	for (size_t i = 0; i < set->all.n && set->resumed && !failure_error(); i++)
		if (set->all.items[i]->type == REMAP_TYPE__LINKED)
			relink_remove(r, set->all.items[i]);
	state_destroy(r->states, &deleted_restore_state);
}
