/* SPDX-License-Identifier: GPL-2.0-only */
/* IPC namespaces: their variables (/proc/sys/kernel, /proc/sys/fs/mqueue), and what the three sorts of System V objects
 * have in common. */
#include "object/ipc/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "image/record.h"
#include "object/ipc/posix-queue.h"
#include "object/ipc/queue.h"
#include "object/ipc/semaphore.h"
#include "object/ipc/shm.h"
#include "object/namespace/namespace.h"
#include "session/ids.h"
#include "session/sysctl.h"

/* --- variables --- */

struct variable {
	const char *file;	  /* below /proc/sys */
	size_t offset, size, has; /* in the record; has 0: always there */
	enum { AT_ONCE, AFTER_OBJECTS, AT_THE_END } when;
};

#define MEMBER(member) offsetof(IpcVarEntry, member), sizeof(((IpcVarEntry *)NULL)->member)

static const struct variable variables[] = {
	{ "kernel/msgmax", MEMBER(msg_ctlmax), 0, AT_ONCE },
	{ "kernel/msgmnb", MEMBER(msg_ctlmnb), 0, AT_ONCE },
	{ "kernel/msgmni", MEMBER(msg_ctlmni), 0, AT_ONCE },
	{ "kernel/auto_msgmni", MEMBER(auto_msgmni), 0, AT_ONCE },
	{ "kernel/shmmax", MEMBER(shm_ctlmax), 0, AT_ONCE },
	{ "kernel/shmall", MEMBER(shm_ctlall), 0, AT_ONCE },
	{ "kernel/shmmni", MEMBER(shm_ctlmni), 0, AT_ONCE },
	{ "fs/mqueue/queues_max", MEMBER(mq_queues_max), 0, AT_ONCE },
	{ "fs/mqueue/msg_max", MEMBER(mq_msg_max), 0, AT_ONCE },
	{ "fs/mqueue/msgsize_max", MEMBER(mq_msgsize_max), 0, AT_ONCE },
	{ "fs/mqueue/msg_default", MEMBER(mq_msg_default), offsetof(IpcVarEntry, has_mq_msg_default), AT_ONCE },
	{ "fs/mqueue/msgsize_default", MEMBER(mq_msgsize_default), offsetof(IpcVarEntry, has_mq_msgsize_default),
	  AT_ONCE },
	/* -1, unless somebody has asked for a certain id. Making an object uses it up. */
	{ "kernel/msg_next_id", MEMBER(msg_next_id), offsetof(IpcVarEntry, has_msg_next_id), AFTER_OBJECTS },
	{ "kernel/sem_next_id", MEMBER(sem_next_id), offsetof(IpcVarEntry, has_sem_next_id), AFTER_OBJECTS },
	{ "kernel/shm_next_id", MEMBER(shm_next_id), offsetof(IpcVarEntry, has_shm_next_id), AFTER_OBJECTS },
	/* Segments that nobody has attached are removed when this is set. */
	{ "kernel/shm_rmid_forced", MEMBER(shm_rmid_forced), 0, AT_THE_END },
};

#define N_VARIABLES (ARRAY_SIZE(variables))
#define N_SEM	    4

static uint64_t get_variable(const IpcVarEntry *entry, const struct variable *v)
{
	const char *at = (const char *)entry + v->offset;

	return v->size == sizeof(uint64_t) ? *(const uint64_t *)at : *(const uint32_t *)at;
}

static void set_variable(IpcVarEntry *entry, const struct variable *v, uint64_t value)
{
	char *at = (char *)entry + v->offset;

	if (v->size == sizeof(uint64_t))
		*(uint64_t *)at = value;
	else
		*(uint32_t *)at = (uint32_t)value;
	if (v->has)
		*(protobuf_c_boolean *)((char *)entry + v->has) = true;
}

static int read_text(const char *file, char *to, size_t capacity)
{
	char path[64];
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/sys/%s", file);
	size = file_read_text(AT_FDCWD, path, to, capacity);
	if (size < 0)
		return size == -ENOENT ? -ENOENT : fail((int)-size, "reading %s", path);
	to[strcspn(to, "\n")] = '\0';
	return 0;
}

/* Not every kernel has all of them. */
static int read_variables(struct ipc_contents *contents)
{
	const struct dump *d = contents->d;
	IpcVarEntry *entry = contents->variables = pool_new(d->pool, IpcVarEntry);
	char text[128];
	int error;

	ipc_var_entry__init(entry);
	for (size_t i = 0; i < N_VARIABLES; i++) {
		error = read_text(variables[i].file, text, sizeof(text));
		if (error == -ENOENT)
			continue;
		TRY(error);
		if (variables[i].when != AFTER_OBJECTS || strcmp(text, "-1") != 0)
			set_variable(entry, &variables[i], (uint64_t)strtoull(text, NULL, 10));
	}
	entry->sem_ctls = pool_array(d->pool, uint32_t, N_SEM);
	TRY(read_text("kernel/sem", text, sizeof(text)));
	entry->n_sem_ctls = N_SEM;
	if (sscanf(text, "%u %u %u %u", &entry->sem_ctls[0], &entry->sem_ctls[1], &entry->sem_ctls[2],
		   &entry->sem_ctls[3]) != N_SEM)
		return refuse(EINVAL, "/proc/sys/kernel/sem is \"%s\"", text);
	return 0;
}

/* What is so already is not written. */
static int write_text(const struct restore *r, const char *file, const char *wanted)
{
	char path[64], now[128];
	int error = read_text(file, now, sizeof(now));

	if (error == 0 && !strcmp(now, wanted))
		return 0;
	snprintf(path, sizeof(path), "/proc/sys/%s", file);
	if (error == -ENOENT)
		return restore_missing_sysctl(r, path, wanted);
	TRY(error);
	error = file_write_text(AT_FDCWD, path, wanted);
	return error < 0 ? fail(-error, "setting %s to %s", path, wanted) : 0;
}

static int write_variables(const struct ipc_contents *contents, int when)
{
	const IpcVarEntry *entry = contents->variables;
	char text[128];

	for (size_t i = 0; i < N_VARIABLES; i++) {
		const struct variable *v = &variables[i];

		if ((int)v->when != when || (v->has && !*(const protobuf_c_boolean *)((const char *)entry + v->has)))
			continue;
		if (when == AFTER_OBJECTS && (int32_t)get_variable(entry, v) < 0)
			continue;
		snprintf(text, sizeof(text), "%" PRIu64, get_variable(entry, v));
		TRY(write_text(contents->r, v->file, text));
	}
	if (when != AT_ONCE || entry->n_sem_ctls != N_SEM)
		return 0;
	snprintf(text, sizeof(text), "%u\t%u\t%u\t%u", entry->sem_ctls[0], entry->sem_ctls[1], entry->sem_ctls[2],
		 entry->sem_ctls[3]);
	return write_text(contents->r, "kernel/sem", text);
}

/* --- System V objects --- */

int ipc_ids_find(int last, int (*stat)(int index), struct ipc_ids *ret)
{
	for (int i = 0; i <= last; i++) {
		int id = stat(i);

		if (id >= 0)
			*vector_push(ret) = id;
		else if (id != -EINVAL && id != -EIDRM)
			return fail(-id, "looking at System V object %d of the namespace", i);
	}
	return 0;
}

IpcDescEntry *ipc_desc_new(const struct dump *d, const struct ipc_perm *perm, int id)
{
	IpcDescEntry *desc = pool_new(d->pool, IpcDescEntry);

	ipc_desc_entry__init(desc);
	desc->key = (uint32_t)perm->__key;
	desc->uid = dump_inner_uid(d, perm->uid);
	desc->gid = dump_inner_gid(d, perm->gid);
	desc->cuid = dump_inner_uid(d, perm->cuid);
	desc->cgid = dump_inner_gid(d, perm->cgid);
	desc->mode = perm->mode;
	desc->id = (uint32_t)id;
	return desc;
}

int ipc_desc_check(const IpcDescEntry *desc, const char *image)
{
	return desc->id <= INT32_MAX ? 0
				     : refuse(EINVAL, "%s: there is no id %u: the image is damaged", image, desc->id);
}

/* Of this process alone: those of libc ask all threads. */
static int set_effective(uint32_t uid, uint32_t gid)
{
	if (syscall(SYS_setresgid, -1, gid, -1) < 0 || syscall(SYS_setresuid, -1, uid, -1) < 0)
		return fail_errno("acting as user %u, group %u", uid, gid);
	return 0;
}

int ipc_will_make(const IpcDescEntry *desc, const char *file)
{
	char path[64], text[16];
	int error;

	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", file);
	snprintf(text, sizeof(text), "%u", desc->id);
	error = file_write_text(AT_FDCWD, path, text);
	if (error < 0)
		return fail(-error, "writing %s to %s", text, path);
	return desc->cuid || desc->cgid ? set_effective(desc->cuid, desc->cgid) : 0;
}

int ipc_made(const IpcDescEntry *desc, int id, const char *what)
{
	int error = errno;

	if (desc->cuid || desc->cgid) {
		if (syscall(SYS_setresuid, -1, 0, -1) < 0 || syscall(SYS_setresgid, -1, 0, -1) < 0)
			return fail_errno("acting as root again");
	}
	if (id < 0)
		return fail(error, "making %s %u with the key %#x", what, desc->id, desc->key);
	if ((uint32_t)id != desc->id)
		return refuse(EEXIST, "%s %u has got the id %d instead", what, desc->id, id);
	return 0;
}

void ipc_perm_set(const IpcDescEntry *desc, struct ipc_perm *perm)
{
	perm->uid = desc->uid;
	perm->gid = desc->gid;
	perm->mode = desc->mode & 0777;
}

/* --- the kind --- */

static int find_all(void *arg)
{
	struct ipc_contents *contents = arg;

	TRY(read_variables(contents));
	TRY(ipc_posix_queues_find(contents));
	TRY(ipc_segments_find(contents));
	TRY(ipc_queues_find(contents));
	return ipc_semaphores_find(contents);
}

static int collect_ipc(const struct dump *d, struct namespace *ns)
{
	struct ipc_contents *contents = ns->data = pool_new(d->pool, struct ipc_contents);

	contents->d = d;
	return namespace_run_on(ns, 0, find_all, contents);
}

static int copy_all(void *arg)
{
	TRY(ipc_queues_copy(arg));
	return ipc_posix_queues_copy(arg);
}

static int dump_ipc(struct dump *d, struct namespace *ns)
{
	struct ipc_contents *contents = ns->data;
	struct store *store = dump_store(d);

	if (contents->n_queues || contents->n_posix_queues)
		TRY(namespace_run_on(ns, 0, copy_all, contents));
	TRY(image_write_one(store, IMAGE_IPCNS_VAR, contents->variables, ns->id));
	TRY(ipc_segments_write(contents, store, ns->id));
	TRY(ipc_queues_write(contents, store, ns->id));
	TRY(ipc_posix_queues_write(contents, store, ns->id));
	return ipc_semaphores_write(contents, store, ns->id);
}

static int load_ipc(const struct restore *r, struct namespace *ns)
{
	struct ipc_contents *contents = ns->data = pool_new(r->pool, struct ipc_contents);
	int error = image_read_one(r->store, IMAGE_IPCNS_VAR, &contents->variables, ns->id);

	contents->r = r;
	if (error == -ENOENT)
		return refuse(ENOENT, "ipcns-var-%u.img is missing: the checkpoint is not complete", ns->id);
	TRY(error);
	TRY(ipc_segments_read(contents, ns->id));
	TRY(ipc_queues_read(contents, ns->id));
	TRY(ipc_posix_queues_read(contents, ns->id));
	return ipc_semaphores_read(contents, ns->id);
}

static int make_all(void *arg)
{
	struct ipc_contents *contents = arg;

	TRY(write_variables(contents, AT_ONCE));
	TRY(ipc_segments_make(contents));
	TRY(ipc_queues_make(contents));
	TRY(ipc_posix_queues_make(contents));
	TRY(ipc_semaphores_make(contents));
	return write_variables(contents, AFTER_OBJECTS);
}

static int open_segments(void *arg)
{
	struct namespace *ns = arg;

	if (setns(ns->fd, CLONE_NEWIPC) < 0)
		return fail_errno("entering the IPC namespace");
	return ipc_segments_open(ns->data);
}

static int fill_ipc(struct restore *r, struct namespace *ns)
{
	TRY(namespace_run_in(r, ns, make_all, ns->data));
	/* Looking into memory takes power over the machine, which root of a user namespace has not. */
	TRY(namespace_run(r->tree->root->restore->proc, 0, open_segments, ns));
	return ipc_segments_fill(r, ns->data);
}

static int settle_all(void *arg)
{
	TRY(ipc_segments_settle(arg));
	return write_variables(arg, AT_THE_END);
}

static int settle_ipc(struct restore *r, struct namespace *ns)
{
	return namespace_run_in(r, ns, settle_all, ns->data);
}

const struct namespace_kind ipc_kind = {
	NAMESPACE_KIND("ipc", CLONE_NEWIPC, ipc_ns_id),
	.joinable = true,
	.nested = true,
	.keepable = true,
	.collect = collect_ipc,
	.dump = dump_ipc,
	.load = load_ipc,
	.fill = fill_ipc,
	.settle = settle_ipc,
};
