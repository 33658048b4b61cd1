/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files and directories of a FUSE file system that is served in the tree, open or current: what its server knows them
 * by (object/mount/fs/fuse.c). Their server goes on with the numbers that it gave out.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "kern/proc/fdinfo.h"
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

static int dump_fusefile(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	RegFileEntry *record = out->reg;
	const bool removed = text_ends(of->link, REMOVED), open = !(of->flags & O_PATH) && of->task_fd >= 0;

	if (of->fdinfo && fdinfo_get(of->fdinfo, "lock"))
		return refuse(EOPNOTSUPP,
			      "%s: it is locked, and of a FUSE file system that is served in the tree: "
			      "its server would have to lock it again",
			      of->link);
	record->id = of->id;
	record->flags = of->flags | (of->task_fd < 0 ? O_PATH : 0);
	record->pos = of->pos;
	record->fown = of->owner;
	record->name = pool_string(d->pool, of->link);
	record->has_mnt_id = true;
	record->mnt_id = of->mnt_id;
	record->fuse_file = pool_new(d->pool, FuseFileEntry);
	fuse_file_entry__init(record->fuse_file);
	return mount_dump_fuse_file(d, of->fd, of->stat.st_dev, open, removed, record->fuse_file);
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
