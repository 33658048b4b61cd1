/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files and directories of a FUSE file system that is served in the tree, open or current: what its server knows them
 * by (object/mount/fs/fuse.c). Their server goes on with the numbers that it gave out.
 */
#include "object/file/fuse/fusefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/table.h"
#include "base/text.h"
#include "object/file/file.h"
#include "object/mount/mount.h"

#define REMOVED " (deleted)"

static bool is_fusefile(const struct open_file *of)
{
	return of->served && (S_ISREG(of->stat.st_mode) || S_ISDIR(of->stat.st_mode));
}

static bool claims_fusefile(const FileEntry *entry)
{
	return entry->reg->fuse_file;
}

/* --- each opening is one record: its server gave a handle to it, and takes that back once --- */

struct served_files {
	struct table *ids; /* by the kernel's address */
};

static void destroy_served(void *state)
{
	table_destroy(&((struct served_files *)state)->ids);
}

static const struct state_type served_type = { sizeof(struct served_files), destroy_served };

static struct table *served_ids(const struct dump *d)
{
	struct served_files *served = state_get(d->states, &served_type);

	if (!served->ids)
		served->ids = table_create();
	return served->ids;
}

int file_dump_served(const struct dump *d, const struct task *task, const char *name, uint64_t *ret_open,
		     uint32_t *ret_id)
{
	const char *start = text_after(name, "map_files/");

	*ret_open = 0;
	*ret_id = 0;
	if (!start && strcmp(name, "exe") != 0)
		return 0; /* directories: they are not open */
	TRY(mount_dump_fuse_mapped(d, task, start ? strtoull(start, NULL, 16) : 0, ret_open));
	*ret_id = (uint32_t)(uintptr_t)table_find(served_ids(d), *ret_open);
	return 0;
}

/* Which one it is, and if it is open, with which flags. */
static int find_opened(const struct dump *d, const struct open_file *of, bool open, uint64_t *ret, uint32_t *flags)
{
	const uint32_t kept = O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECT | O_SYNC | O_LARGEFILE | O_NOATIME;
	uint32_t seen;

	*ret = of->served_open;
	if (!*ret && of->is_name)
		TRY(mount_dump_fuse_at(d, of->task, of->task_fd, ret));
	else if (!*ret)
		TRY(mount_dump_fuse_own(d, of->fd, ret));
	if (!open)
		return 0;
	TRY(mount_dump_fuse_flags(d, *ret, &seen));
	if (of->served_open)
		*flags = seen & kept;
	return 0;
}

static int dump_fusefile(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	RegFileEntry *record = out->reg;
	const bool removed = text_ends(of->link, REMOVED),
		   open = of->served_open || (!(of->flags & O_PATH) && of->task_fd >= 0);
	uint64_t opened;

	record->flags = of->flags | (open ? 0 : O_PATH);
	TRY(find_opened(d, of, open, &opened, &record->flags));
	if (open && table_find(served_ids(d), opened))
		return refuse(EOPNOTSUPP,
			      "%s: it is open by a descriptor and, by the same opening, the program of a task",
			      of->link);
	if (open)
		table_set(served_ids(d), opened, (void *)(uintptr_t)of->id);
	record->id = of->id;
	record->pos = of->pos;
	record->fown = of->owner;
	record->name = pool_string(d->pool, of->link);
	record->has_mnt_id = true;
	record->mnt_id = of->mnt_id;
	record->fuse_file = pool_new(d->pool, FuseFileEntry);
	fuse_file_entry__init(record->fuse_file);
	return mount_dump_fuse_file(d, opened, of->stat.st_dev, open, removed, record->fuse_file);
}

/* --- restore --- */

static int create_fusefile(struct restore *r, struct file *f)
{
	const RegFileEntry *record = f->entry->reg;
	const uint32_t kept = O_ACCMODE | O_PATH | O_DIRECTORY | O_DIRECT | O_SYNC | O_LARGEFILE | O_NOATIME;

	TRY(mount_restore_fuse_open(r, record->mnt_id, record->fuse_file, record->flags & kept, &f->fd));
	if (record->flags & O_PATH)
		return 0;
	if (lseek(f->fd, (off_t)record->pos, SEEK_SET) < 0 && errno != ESPIPE)
		return fail_errno("going to its position %lu", (unsigned long)record->pos);
	return file_apply_flags(f->fd, record->flags, record->fown);
}

const struct file_kind fusefile_kind = {
	.name = "fuse file",
	.type = FD_TYPES__REG,
	.entry = offsetof(FileEntry, reg),
	.is = is_fusefile,
	.claims = claims_fusefile,
	.dump = dump_fusefile,
	.create = create_fusefile,
};
