/* SPDX-License-Identifier: GPL-2.0-only */
/* Namespace files (/proc/PID/ns/NAME): open, they keep a namespace alive or wait for setns(2). */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "object/file/file.h"
#include "object/namespace/namespace.h"

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif
static uint32_t get_id(const TaskKobjIdsEntry *ids, const struct namespace_kind *kind)
{
	return *(const uint32_t *)((const char *)ids + kind->id);
}

/* A task that lives in the namespace behind the file. */
static const struct task *find_inhabitant(const struct dump *d, const struct open_file *of,
					  const struct namespace_kind *kind)
{
	char name[16];
	struct task *task;
	struct stat st;

	snprintf(name, sizeof(name), "ns/%s", kind->name);
	for_each_task(task, d->tree)
		if (task_is_live(task) && fstatat(task->dump->proc, name, &st, 0) == 0 &&
		    st.st_ino == of->stat.st_ino && st.st_dev == of->stat.st_dev)
			return task;
	return NULL;
}

static int dump_nsfile(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	NsFileEntry *record = out->nsf;

	for (const struct namespace_kind *const *kind = namespace_kinds; *kind; kind++) {
		const char *rest = text_after(of->link, (*kind)->name);
		const struct task *task;

		if (!rest || *rest != ':')
			continue;
		task = find_inhabitant(d, of, *kind);
		if (!task || !get_id(task->ids, *kind))
			return refuse(ENOTSUP, "no task of the tree lives in this namespace, so it cannot be made "
					       "again: close the file, "
					       "or dump the tree that lives there");
		record->id = of->id;
		record->ns_id = get_id(task->ids, *kind);
		record->ns_cflag = (*kind)->flag;
		record->flags = of->flags;
		return 0;
	}
	return refuse(ENOTSUP, "a namespace of an unknown kind");
}

/* --- restore --- */

static int create_nsfile(struct restore *r, struct file *f)
{
	const NsFileEntry *record = f->entry->nsf;
	struct task *task;
	char name[16];
	const struct namespace_kind *const *next = namespace_kinds, *kind;

	while (*next && (*next)->flag != record->ns_cflag)
		next++;
	kind = *next;
	if (!kind)
		return refuse(EINVAL, "files.img: a namespace of the unknown kind 0x%x", record->ns_cflag);
	snprintf(name, sizeof(name), "ns/%s", kind->name);
	for_each_task(task, r->tree) {
		if (!task_is_live(task) || !task->ids || get_id(task->ids, kind) != record->ns_id)
			continue;
		f->fd = openat(task->restore->proc, name, O_RDONLY | O_CLOEXEC);
		if (f->fd < 0)
			return fail_errno("opening %s of task %d", name, task->vpid);
		return file_apply_flags(f->fd, record->flags, NULL);
	}
	return refuse(EINVAL, "files.img: nobody lives in %s namespace %u", kind->name, record->ns_id);
}

const struct file_kind nsfile_kind = {
	.name = "nsfile",
	.type = FD_TYPES__NS,
	.entry = offsetof(FileEntry, nsf),
	.fs_magic = NSFS_MAGIC,
	.dump = dump_nsfile,
	.create = create_nsfile,
};
