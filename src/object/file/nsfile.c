/* SPDX-License-Identifier: GPL-2.0-only */
/* Namespace files (/proc/PID/ns/NAME): open, they keep a namespace alive or wait for setns(2). */
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "object/file/file.h"

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080 /* since 5.6 */
#endif

static const struct {
	const char *name; /* in the link: "net:[4026531833]", and below /proc/PID/ns */
	uint32_t flag;
	size_t id; /* member of TaskKobjIdsEntry */
} kinds[] = {
	{ "net", CLONE_NEWNET, offsetof(TaskKobjIdsEntry, net_ns_id) },
	{ "ipc", CLONE_NEWIPC, offsetof(TaskKobjIdsEntry, ipc_ns_id) },
	{ "uts", CLONE_NEWUTS, offsetof(TaskKobjIdsEntry, uts_ns_id) },
	{ "pid", CLONE_NEWPID, offsetof(TaskKobjIdsEntry, pid_ns_id) },
	{ "mnt", CLONE_NEWNS, offsetof(TaskKobjIdsEntry, mnt_ns_id) },
	{ "user", CLONE_NEWUSER, offsetof(TaskKobjIdsEntry, user_ns_id) },
	{ "cgroup", CLONE_NEWCGROUP, offsetof(TaskKobjIdsEntry, cgroup_ns_id) },
	{ "time", CLONE_NEWTIME, offsetof(TaskKobjIdsEntry, time_ns_id) },
};

#define N_KINDS (sizeof(kinds) / sizeof(*kinds))

static uint32_t get_id(const TaskKobjIdsEntry *ids, size_t kind)
{
	return *(const uint32_t *)((const char *)ids + kinds[kind].id);
}

/* A task that lives in the namespace behind the file. */
static const struct task *find_inhabitant(struct dump *d, const struct open_file *of, size_t kind)
{
	char name[16];
	struct task *task;
	struct stat st;

	snprintf(name, sizeof(name), "ns/%s", kinds[kind].name);
	for_each_task(task, d->tree)
		if (task_is_live(task) && fstatat(task->dump->proc, name, &st, 0) == 0 && st.st_ino == of->stat.st_ino &&
		    st.st_dev == of->stat.st_dev)
			return task;
	return NULL;
}

static int dump_nsfile(struct dump *d, const struct open_file *of, FileEntry *out)
{
	NsFileEntry *record = out->nsf;

	for (size_t i = 0; i < N_KINDS; i++) {
		const char *rest = text_after(of->link, kinds[i].name);
		const struct task *task;

		if (!rest || *rest != ':')
			continue;
		task = find_inhabitant(d, of, i);
		if (!task || !get_id(task->ids, i))
			return refuse(ENOTSUP, "no task of the tree lives in this namespace, so it can't be made again: close the file, "
					       "or dump the tree that lives there");
		record->id = of->id;
		record->ns_id = get_id(task->ids, i);
		record->ns_cflag = kinds[i].flag;
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
	size_t kind = 0;

	while (kind < N_KINDS && kinds[kind].flag != record->ns_cflag)
		kind++;
	if (kind == N_KINDS)
		return refuse(EINVAL, "files.img: a namespace of the unknown kind 0x%x", record->ns_cflag);
	snprintf(name, sizeof(name), "ns/%s", kinds[kind].name);
	for_each_task(task, r->tree) {
		if (!task_is_live(task) || !task->ids || get_id(task->ids, kind) != record->ns_id)
			continue;
		f->fd = openat(task->restore->proc, name, O_RDONLY | O_CLOEXEC);
		if (f->fd < 0)
			return fail_errno("opening %s of task %d", name, task->vpid);
		return file_apply_flags(f->fd, record->flags, NULL);
	}
	return refuse(EINVAL, "files.img: nobody lives in %s namespace %u", kinds[kind].name, record->ns_id);
}

const struct file_kind nsfile_kind = {
	.name = "nsfile",
	.type = FD_TYPES__NS,
	.entry = offsetof(FileEntry, nsf),
	.fs_magic = NSFS_MAGIC,
	.dump = dump_nsfile,
	.create = create_nsfile,
};
