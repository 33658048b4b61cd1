/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/fuse: by it a process serves a file system (object/mount/fs/fuse.c). One that nothing has been mounted with is a
 * device like any other.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "object/file/needs.h"
#include "object/file/regular/open.h"
#include "object/file/regular/regular.h"
#include "object/mount/mount.h"

#define MISC_MAJOR 10
#define FUSE_MINOR 229

static bool is_fuse(const struct open_file *of)
{
	return !(of->flags & O_PATH) && S_ISCHR(of->stat.st_mode) &&
	       of->stat.st_rdev == makedev(MISC_MAJOR, FUSE_MINOR);
}

static bool claims_fuse(const FileEntry *entry)
{
	return entry->reg->fuse;
}

static int dump_fuse(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	RegFileEntry *record = out->reg;
	uint32_t dev;
	int served = mount_dump_fuse(d, of->fd, &dev);

	if (served == -ENOENT)
		return refuse(
			EOPNOTSUPP,
			"by /dev/fuse it serves a file system (device %u:%u) that is mounted nowhere in the tree, "
			"or is given from outside: unmount it, or end its server before the dump",
			dev >> 20, dev & 0xfffff);
	TRY(served);
	record->id = of->id;
	TRY(regular_dump(d, of, record));
	record->fuse = pool_new(d->pool, FuseDeviceEntry);
	fuse_device_entry__init(record->fuse);
	record->fuse->connection = served ? dev : 0;
	return 0;
}

/* --- restore --- */

static int load_fuse(const struct restore *r, struct file *f)
{
	const RegFileEntry *record = f->entry->reg;

	return record->name[0] == '/' ? 0 : refuse(EINVAL, "files.img: its name \"%s\" is not absolute", record->name);
}

static int need_fuse(const struct restore *r, struct file *f)
{
	return regular_need(r, f->entry->reg);
}

static int join_connection(const struct restore *r, int fd, uint32_t dev)
{
	int server = mount_restore_fuse(r, dev);

	if (server < 0)
		return refuse(EINVAL, "files.img: the file system %u:%u that it serves is not in the images", dev >> 20,
			      dev & 0xfffff);
	return ioctl(fd, FUSE_DEV_IOC_CLONE, &server) < 0
		       ? fail_errno("joining the connection of a FUSE file system (FUSE_DEV_IOC_CLONE)")
		       : 0;
}

/* All are equal to the kernel: each may take requests from the same queue, and answers to those that it took. */
static int create_fuse(struct restore *r, struct file *f)
{
	const RegFileEntry *record = f->entry->reg;

	TRY(regular_open(r, record, 0, &f->fd));
	if (record->fuse->connection)
		TRY(join_connection(r, f->fd, record->fuse->connection));
	return file_apply_flags(f->fd, record->flags, record->fown);
}

const struct file_kind fusedev_kind = {
	.name = "fuse",
	.type = FD_TYPES__REG,
	.entry = offsetof(FileEntry, reg),
	.is = is_fuse,
	.claims = claims_fuse,
	.dump = dump_fuse,
	.load = load_fuse,
	.needs = need_fuse,
	.create = create_fuse,
};
