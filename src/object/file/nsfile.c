/* SPDX-License-Identifier: GPL-2.0-only */
/* Namespace files (/proc/PID/ns/NAME): open, they keep a namespace alive or wait for setns(2). */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>

#include "base/fail.h"
#include "object/file/file.h"
#include "object/namespace/namespace.h"

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif

static int dump_nsfile(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	int type = ioctl(of->fd, NS_GET_NSTYPE);
	const struct namespace_kind *kind = type < 0 ? NULL : namespace_kind_find((uint32_t)type);
	const struct namespace *ns = kind ? namespace_find_kept(d, kind, of->stat.st_ino) : NULL;
	NsFileEntry *record = out->nsf;

	if (!kind)
		return refuse(EOPNOTSUPP, "a namespace of an unknown kind");
	if (!ns)
		return refuse(EOPNOTSUPP, "%s: close the file, or dump the tree that lives there",
			      namespace_why_lost(d, of->fd));
	record->id = of->id;
	record->ns_id = ns->id;
	record->ns_cflag = kind->flag;
	record->flags = of->flags;
	return 0;
}

/* --- restore --- */

static int create_nsfile(struct restore *r, struct file *f)
{
	const NsFileEntry *record = f->entry->nsf;
	const struct namespace_kind *kind = namespace_kind_find(record->ns_cflag);

	if (!kind)
		return refuse(EINVAL, "files.img: a namespace of the unknown kind 0x%x", record->ns_cflag);
	f->fd = namespace_restore_open(r, kind, record->ns_id);
	TRY(f->fd);
	return file_apply_flags(f->fd, record->flags, NULL);
}

const struct file_kind nsfile_kind = {
	.name = "nsfile",
	.type = FD_TYPES__NS,
	.entry = offsetof(FileEntry, nsf),
	.fs_magic = NSFS_MAGIC,
	.dump = dump_nsfile,
	.create = create_nsfile,
};
