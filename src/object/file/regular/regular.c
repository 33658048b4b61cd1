/* SPDX-License-Identifier: GPL-2.0-only */
/* Regular files, directories, and whatever else is opened by its path and has no life of its own. */
#include "object/file/regular/regular.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "object/file/deleted/deleted.h"
#include "object/file/needs.h"
#include "object/file/regular/open.h"
#include "object/file/regular/place.h"
#include "object/file/regular/procfs.h"
#include "object/file/validate.h"
#include "object/mount/mount.h"
#include "object/namespace/namespace.h"
#include "session/loss.h"

static bool is_regular(const struct open_file *of)
{
	if (of->link[0] != '/')
		return false;
	return S_ISREG(of->stat.st_mode) || S_ISDIR(of->stat.st_mode) || of->flags & O_PATH;
}

/* The size is told unless the file is a log that others may let grow. */
static bool has_fixed_size(const struct open_file *of)
{
	return S_ISREG(of->stat.st_mode) && !((of->flags & O_ACCMODE) == O_WRONLY && of->flags & O_APPEND);
}

static int dump_build_id(const struct dump *d, const struct open_file *of, RegFileEntry *out)
{
	uint8_t id[BUILD_ID_MAX] = { 0 };
	int length = validate_read_build_id(of->fd, id);

	if (length <= 0)
		return 0; /* unreadable: then nobody runs it either */
	out->n_build_id = (size_t)(length + 3) / 4;
	out->build_id = pool_copy(d->pool, id, out->n_build_id * 4);
	return 0;
}

/* /proc/pressure/..., memory.pressure of a cgroup: what was written is a trigger that lives as long as the file. */
static bool has_trigger(const struct open_file *of)
{
	return (of->flags & (O_ACCMODE | O_PATH)) == O_RDWR &&
	       (of->fs_magic == PROC_SUPER_MAGIC || of->fs_magic == CGROUP2_SUPER_MAGIC) &&
	       (text_starts(of->link, "/proc/pressure/") || text_ends(of->link, ".pressure"));
}

static bool may_open(const struct open_file *of)
{
	int access = of->flags & O_ACCMODE, wanted = access == O_RDONLY	  ? R_OK
						     : access == O_WRONLY ? W_OK
									  : R_OK | W_OK;
	struct stat named;

	/* Another file, or none, by this name: the one that is meant is saved, or was refused. */
	if (of->flags & O_PATH || stat(of->link, &named) < 0 || named.st_ino != of->stat.st_ino ||
	    named.st_dev != of->stat.st_dev)
		return errno != EACCES;
	return faccessat(AT_FDCWD, of->link, wanted, AT_EACCESS) == 0;
}

/* It may have been opened by somebody else, or before the program gave up rights. Without a chance to come back, a task
 * should not be killed. */
static int check_rights(const struct dump *d, const struct open_file *of)
{
	errno = 0;
	if (geteuid() == 0 || may_open(of))
		return 0;
	if (d->options->end == OPT_END_RUN) {
		log_warn("user %u may not open %s: only root can restore this", geteuid(), of->link);
		return 0;
	}
	return refuse(EACCES,
		      "user %u may not open %s, so only root could restore this: let root do both, or dump with "
		      "--leave-running",
		      geteuid(), of->link);
}

/* "/proc/PID/..." with our number of the process: at the restore it has another one. In a mount namespace of its own it
 * is that of the tree. */
static int check_number(const struct dump *d, const struct open_file *of)
{
	const char *digits = text_after(of->link, "/proc/");

	if (!d->facts->inner_pids || of->fs_magic != PROC_SUPER_MAGIC || !digits || *digits < '0' || *digits > '9' ||
	    namespace_of_root(dump_namespaces(d), d->tree, CLONE_NEWNS, NULL))
		return 0;
	return refuse(
		EOPNOTSUPP,
		"%s names a process by its number outside of the tree's pid namespace: that number will be another one",
		of->link);
}

int regular_dump(const struct dump *d, const struct open_file *of, RegFileEntry *out)
{
	TRY(check_rights(d, of));
	TRY(check_number(d, of));
	if (has_trigger(of))
		return refuse(EOPNOTSUPP,
			      "its trigger (pressure stall information) cannot be read: let the program close "
			      "it before the dump");
	out->flags = of->flags;
	out->pos = of->pos;
	out->fown = of->owner;
	/* Nobody gives a directory an owner otherwise. */
	if (S_ISDIR(of->stat.st_mode) && of->owner->pid)
		dump_report_loss(d, "its notices of changes in the directory (F_NOTIFY)");
	if (place_is_worth_a_look(of)) {
		out->has_ahead = true;
		TRY(place_read(of->fd, (off_t)of->pos, &out->ahead));
	}
	out->name = (char *)of->link;
	out->has_mnt_id = mount_dump_id(d, of->mnt_id) > 0;
	if (out->has_mnt_id)
		out->mnt_id = of->mnt_id;
	out->has_mode = true;
	out->mode = of->stat.st_mode;
	if (S_ISCHR(of->stat.st_mode) || S_ISBLK(of->stat.st_mode)) {
		out->has_rdev = true;
		out->rdev = (uint32_t)of->stat.st_rdev;
	}
	if (S_ISREG(of->stat.st_mode))
		out->write_hint = inode_read_write_hint(of->fd);
	out->has_write_hint = out->write_hint != 0;
	if (has_fixed_size(of)) {
		out->has_size = true;
		out->size = (uint64_t)of->stat.st_size;
		if (d->options->file_validation == OPT_FILE_BUILD_ID)
			TRY(dump_build_id(d, of, out));
	}
	return deleted_dump(d, of, out);
}

int regular_dump_extra(const struct dump *d, const struct open_file *of, uint32_t *ret_id)
{
	FileEntry *entry = file_add_entry(d, FD_TYPES__REG, offsetof(FileEntry, reg));

	*ret_id = entry->reg->id = entry->id;
	return regular_dump(d, of, entry->reg);
}

static int dump_regular(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	out->reg->id = of->id;
	return regular_dump(d, of, out->reg);
}

/*
 * Files below /proc that are opened when all tasks have their threads and descriptors: /proc/PID/task/TID, and what is
 * named by a descriptor; and those of dead processes, whose numbers nobody may need any more.
 */
static bool is_late(const struct restore *r, const RegFileEntry *record)
{
	struct procfs_name name;

	if (deleted_is_of_dead(r, record))
		return true;
	if (!procfs_parse_name(record->name, &name) || !task_tree_find(r->tree, name.pid))
		return false;
	return procfs_is_of_descriptor(&name) ||
	       (name.tid && name.tid != name.pid && task_tree_find_thread(r->tree, name.tid));
}

static int load_regular(const struct restore *r, struct file *f)
{
	const RegFileEntry *record = f->entry->reg;

	if (record->name[0] != '/')
		return refuse(EINVAL, "files.img: its name \"%s\" is not absolute", record->name);
	f->users += is_late(r, record); /* kept to the end, for remake */
	return 0;
}

static int need_regular(const struct restore *r, struct file *f)
{
	return f->users ? regular_need(r, f->entry->reg) : 0;
}

static int open_regular(struct restore *r, const RegFileEntry *record, int *ret_fd)
{
	AUTO_CLOSE int fd = -1;

	LOG_SCOPE("%s", record->name);
	TRY(regular_open(r, record, 0, &fd));
	if (record->pos && !(record->flags & O_PATH) && lseek(fd, (off_t)record->pos, SEEK_SET) < 0)
		return fail_errno("moving to position %llu", (unsigned long long)record->pos);
	if (record->has_ahead)
		place_find(fd, (off_t)record->pos, record->ahead);
	if (!(record->flags & O_PATH))
		TRY(file_apply_flags(fd, record->flags, record->fown));
	inode_set_write_hint(fd, record->write_hint);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int create_regular(struct restore *r, struct file *f)
{
	if (!is_late(r, f->entry->reg))
		return open_regular(r, f->entry->reg, &f->fd);
	f->fd = open("/", O_PATH | O_CLOEXEC); /* in its place until remake */
	return f->fd < 0 ? fail_errno("opening /") : 0;
}

static int remake_regular(struct restore *r, struct file *f, int *ret_fd)
{
	return is_late(r, f->entry->reg) ? open_regular(r, f->entry->reg, ret_fd) : -ENOENT;
}

static int settle_regular(struct restore *r, struct file *f)
{
	deleted_settle(r);
	return 0;
}

int regular_find_record(const struct restore *r, uint32_t id, const RegFileEntry **ret)
{
	const struct file *f = file_find(r, id);

	if (!f || !f->entry->reg)
		return refuse(EINVAL, "files.img: file %u, which tells the path, is not there", id);
	*ret = f->entry->reg;
	return 0;
}

static int clean_regular(struct restore *r)
{
	deleted_clean(r);
	return 0;
}

static const char *describe_regular(const struct file *f, struct pool *pool)
{
	const RegFileEntry *entry = f->entry->reg;

	return entry->has_mode && S_ISDIR(entry->mode) ? "directory" : "regular";
}

const struct file_kind regular_kind = {
	.name = "regular",
	.type = FD_TYPES__REG,
	.entry = offsetof(FileEntry, reg),
	.is = is_regular,
	.dump = dump_regular,
	.write = deleted_write,
	.prepare = deleted_prepare,
	.load = load_regular,
	.needs = need_regular,
	.describe = describe_regular,
	.create = create_regular,
	.remake = remake_regular,
	.settle = settle_regular,
	.resume = deleted_resume,
	.clean = clean_regular,
};
