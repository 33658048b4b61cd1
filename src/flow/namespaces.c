/* SPDX-License-Identifier: GPL-2.0-only */
/* Namespaces of the tasks, by the inodes behind /proc/PID/ns. */
#include "flow/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "image/inventory.h"
#include "session/survey.h"
#include "timens.pb-c.h"

/* In the order in which the format counts them; name in /proc/PID/ns, member of the record. */
#define NAMESPACES(X) \
	X(pid, pid_ns_id) X(net, net_ns_id) X(ipc, ipc_ns_id) X(uts, uts_ns_id) X(time, time_ns_id) X(mnt, mnt_ns_id) \
	X(user, user_ns_id) X(cgroup, cgroup_ns_id)

/* Inode of a namespace; 0 if the kernel has none of that kind. */
static int namespace_inode(int proc, const char *name, ino_t *ret)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "ns/%s", name);
	*ret = 0;
	if (fstatat(proc, path, &st, 0) < 0)
		return errno == ENOENT ? 0 : fail_errno("looking at its %s namespace", name);
	*ret = st.st_ino;
	return 0;
}

int namespaces_dump_self(struct dump *d)
{
	TaskKobjIdsEntry *ids = pool_new(d->pool, TaskKobjIdsEntry);
	AUTO_CLOSE int self = open("/proc/self", O_PATH | O_CLOEXEC);
	ino_t *own = pool_array(d->pool, ino_t, 8);
	uint32_t number = 1;

	if (self < 0)
		return fail_errno("opening /proc/self");
	d->own_namespaces = own;
	task_kobj_ids_entry__init(ids);
	ids->vm_id = ids->files_id = ids->fs_id = ids->sighand_id = 1;
#define X(name, member)             \
	TRY(namespace_inode(self, #name, own++)); \
	ids->has_##member = true;   \
	ids->member = number++;
	NAMESPACES(X)
#undef X
	d->inventory->root_ids = ids;
	return 0;
}

/* Security modules keep labels of tasks that a restore under another module could not give back. */
static Lsmtype find_lsm(void)
{
	char text[8] = "";

	if (access("/sys/fs/selinux/enforce", F_OK) == 0)
		return LSMTYPE__SELINUX;
	if (file_read_text(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", text, sizeof(text)) > 0 && text[0] == 'Y')
		return LSMTYPE__APPARMOR;
	return LSMTYPE__NO_LSM;
}

static void now(clockid_t clock, Timespec *ret)
{
	struct timespec time;

	clock_gettime(clock, &time);
	timespec__init(ret);
	ret->tv_sec = (uint64_t)time.tv_sec;
	ret->tv_nsec = (uint64_t)time.tv_nsec;
}

int namespaces_write(struct dump *d)
{
	TimensEntry entry = TIMENS_ENTRY__INIT;
	Timespec monotonic, boottime;

	now(CLOCK_MONOTONIC, &monotonic);
	now(CLOCK_BOOTTIME, &boottime);
	entry.monotonic = &monotonic;
	entry.boottime = &boottime;
	d->inventory->has_lsm = true;
	d->inventory->lsm = find_lsm();
	/* Number 0 stands for the clocks of the host. */
	return image_write_one(d->store, IMAGE_TIMENS, &entry, 0);
}

static int check_same(const struct task *task, ino_t ours, const char *name)
{
	ino_t theirs, parents = 0;

	TRY(namespace_inode(task->dump->proc, name, &theirs));
	if (ours == theirs)
		return 0;
	/* What is true of its parent as well was said there. */
	if (task->parent && task->parent->dump->proc >= 0)
		TRY(namespace_inode(task->parent->dump->proc, name, &parents));
	if (parents == theirs)
		return 0;
	return refuse(EOPNOTSUPP,
		      "it lives in a %s namespace of its own, which cannot be checkpointed yet; run criu inside (nsenter -t %d --%s)", name,
		      task->pid, name);
}

int namespaces_dump_task(struct dump *d, struct task *task)
{
	const TaskKobjIdsEntry *root = d->inventory->root_ids;
	const ino_t *own = d->own_namespaces;

#define X(name, member)                              \
	TRY(dump_go_on(d, check_same(task, *own++, #name))); \
	task->ids->has_##member = true;              \
	task->ids->member = root->member;
	NAMESPACES(X)
#undef X
	return 0;
}

int namespaces_dump_own_network(struct dump *d)
{
	const ino_t *own = d->own_namespaces;
	ino_t ours = 0, theirs;

#define X(name, member)                  \
	if (!strcmp(#name, "net"))       \
		ours = *own;             \
	own++;
	NAMESPACES(X)
#undef X
	TRY(namespace_inode(d->tree->root->dump->proc, "net", &theirs));
	return ours != theirs;
}

int namespaces_restore_check(struct restore *r)
{
	const TaskKobjIdsEntry *criu = r->inventory->root_ids, *ids, *parent;
	int error = 0;
	struct task *task;

	for_each_task(task, r->tree) {
		ids = task->ids;
		if (!criu || !ids) /* older images, or a zombie */
			continue;
		parent = task->parent ? task->parent->ids : NULL;
#define X(name, member)                                                                                              \
	if (ids->has_##member && criu->has_##member && ids->member != criu->member &&                                \
	    !(parent && parent->member == ids->member)) /* which was said there */                                   \
		error = refuse(EOPNOTSUPP,                                                                           \
			       "task %d lived in another " #name " namespace than the criu that dumped it: namespaces " \
			       "cannot be restored yet", task->vpid);
		NAMESPACES(X)
#undef X
		if (error < 0 && !r->needs)
			return error;
	}
	return 0;
}
