/* SPDX-License-Identifier: GPL-2.0-only */
/* System V semaphores. What a process would undo at its end (SEM_UNDO) the kernel tells nobody. */
#include "object/ipc/semaphore.h"

#include <errno.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "base/auto.h"
#include "base/fail.h"
#include "image/payload.h"
#include "image/record.h"
#include "object/ipc/ipc.h"
#include "session/session.h"

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20 /* since 4.17 */
#endif

/* semctl(2): to be declared by the caller. */
union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

static int stat_index(int index)
{
	struct semid_ds ds;
	int id = semctl(index, 0, SEM_STAT_ANY, (union semun){ .buf = &ds });

	return id < 0 ? -errno : id;
}

static int find_set(struct ipc_contents *contents, int id)
{
	const struct dump *d = contents->d;
	struct ipc_semaphores *set = &contents->semaphores[contents->n_semaphores++];
	struct semid_ds ds;

	if (semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }) < 0)
		return fail_errno("looking at System V semaphores %d", id);
	set->record = pool_new(d->pool, IpcSemEntry);
	ipc_sem_entry__init(set->record);
	set->record->desc = ipc_desc_new(d, &ds.sem_perm, id);
	set->record->nsems = (uint32_t)ds.sem_nsems;
	set->record->has_used = set->record->used = ds.sem_otime != 0;
	set->values = pool_array(d->pool, uint16_t, ds.sem_nsems);
	if (semctl(id, 0, GETALL, (union semun){ .array = set->values }) < 0)
		return fail_errno("reading System V semaphores %d", id);
	return 0;
}

int ipc_semaphores_find(struct ipc_contents *contents)
{
	struct seminfo info;
	struct ipc_ids ids = { 0 };
	int last = semctl(0, 0, SEM_INFO, (union semun){ .info = &info }), error = 0;

	if (last < 0)
		return fail_errno("looking for System V semaphores");
	TRY(ipc_ids_find(info.semusz ? last : -1, stat_index, &ids));
	contents->semaphores = pool_array(contents->d->pool, struct ipc_semaphores, ids.n);
	for (size_t i = 0; i < ids.n && error == 0; i++)
		error = find_set(contents, ids.items[i]);
	vector_done(&ids);
	return error;
}

int ipc_semaphores_write(const struct ipc_contents *contents, struct store *store, uint32_t number)
{
	AUTO(image_close) struct image *image = NULL;

	TRY(image_create(store, &image, IMAGE_IPCNS_SEM, number));
	for (size_t i = 0; i < contents->n_semaphores; i++) {
		const struct ipc_semaphores *set = &contents->semaphores[i];
		size_t size = set->record->nsems * sizeof(*set->values);

		TRY(image_write(image, set->record));
		TRY(image_write_bytes(image, set->values, size));
		TRY(image_write_padding(image, size, 8));
	}
	return image_finish(&image);
}

/* --- restore --- */

static int read_set(struct image *image, IpcSemEntry *record, struct ipc_semaphores *set)
{
	void *values;
	size_t size;

	TRY(ipc_desc_check(record->desc, "ipcns-sem"));
	TRY(image_read_payload(image, &values, &size));
	if (!record->nsems || record->nsems > UINT16_MAX || size < record->nsems * sizeof(uint16_t))
		return image_refuse(image, "there is no set of %u semaphores", record->nsems);
	*set = (struct ipc_semaphores){ record, values };
	return 0;
}

int ipc_semaphores_read(struct ipc_contents *contents, uint32_t number)
{
	AUTO(image_close) struct image *image = NULL;
	VECTOR(struct ipc_semaphores) found = { 0 };
	IpcSemEntry *record;
	int more = image_open(contents->r->store, &image, IMAGE_IPCNS_SEM, number);

	if (more < 0)
		return more == -ENOENT ? 0 : more;
	while ((more = image_read(image, &record)) > 0) {
		more = read_set(image, record, vector_push(&found));
		if (more < 0)
			break;
	}
	contents->semaphores = pool_copy(contents->r->pool, found.items, found.n * sizeof(*found.items));
	contents->n_semaphores = found.n;
	vector_done(&found);
	return more;
}

/*
 * Nobody can make a set and give it its first values in one step. So the others wait until the maker has called
 * semop(2), which they see by sem_otime: any call will do, before there are values that it could change.
 */
static int mark_used(int id)
{
	struct sembuf is_zero = { .sem_num = 0, .sem_op = 0, .sem_flg = IPC_NOWAIT };

	return semop(id, &is_zero, 1) < 0 ? fail_errno("using System V semaphores %d", id) : 0;
}

static int make_set(const struct ipc_semaphores *set)
{
	const IpcSemEntry *record = set->record;
	struct semid_ds ds;
	int id;

	TRY(ipc_will_make(record->desc, "sem_next_id"));
	id = semget((key_t)record->desc->key, (int)record->nsems,
		    IPC_CREAT | IPC_EXCL | (int)(record->desc->mode & 0777));
	TRY(ipc_made(record->desc, id, "System V semaphores"));
	if (record->used)
		TRY(mark_used(id));
	if (semctl(id, 0, SETALL, (union semun){ .array = set->values }) < 0)
		return fail_errno("setting the values of System V semaphores %d", id);
	if (semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }) < 0)
		return fail_errno("looking at System V semaphores %d", id);
	ipc_perm_set(record->desc, &ds.sem_perm);
	if (semctl(id, 0, IPC_SET, (union semun){ .buf = &ds }) < 0)
		return fail_errno("setting the owner of System V semaphores %d", id);
	return 0;
}

int ipc_semaphores_make(struct ipc_contents *contents)
{
	for (size_t i = 0; i < contents->n_semaphores; i++)
		TRY(make_set(&contents->semaphores[i]));
	return 0;
}
