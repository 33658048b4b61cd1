/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of IPC namespaces: System V shared memory, message queues, semaphores. Each sort is read and written by a
 * visit to the namespace. */
#pragma once

#include "base/vector.h"
#include "ipc-desc.pb-c.h"
#include "ipc-mqueue.pb-c.h"
#include "ipc-msg.pb-c.h"
#include "ipc-sem.pb-c.h"
#include "ipc-shm.pb-c.h"
#include "ipc-var.pb-c.h"

struct ipc_message {
	uint64_t type;
	void *text;
	size_t size;
};

struct ipc_queue {
	IpcMsgEntry *record;
	size_t bytes;		      /* dump: in all messages */
	struct ipc_message *messages; /* record->qnum of them */
};

struct ipc_semaphores {
	IpcSemEntry *record;
	uint16_t *values; /* record->nsems of them */
};

/* What is in a namespace: ns->data, of a dump and of a restore. The lists are in the pool. */
struct ipc_contents {
	const struct dump *d; /* one of the two */
	const struct restore *r;
	IpcVarEntry *variables;
	IpcShmEntry **segments;
	struct ipc_queue *queues;
	struct ipc_semaphores *semaphores;
	size_t n_segments, n_queues, n_semaphores;
	IpcMqueueEntry **posix_queues;
	size_t n_posix_queues;
	int *files; /* restore: behind the segments, as long as they are filled */
};

/*
 * The ids of all objects of a sort, in the namespace that we are in: the kernel's own index is walked through. last:
 * the highest index, stat: the call that looks at one, -errno for an index that is free.
 */
struct ipc_ids {
	int *items;
	size_t n, capacity;
};
int ipc_ids_find(int last, int (*stat)(int index), struct ipc_ids *ret);

/* The common part of a record; the numbers of users are those of the user namespace that we are in. */
struct ipc_perm;
IpcDescEntry *ipc_desc_new(const struct dump *d, const struct ipc_perm *perm, int id);
int ipc_desc_check(const IpcDescEntry *desc, const char *image);
/* For the maker of an object: it will get this id, and belongs to whoever made it then. Undone by ipc_made(). file:
 * "shm_next_id". */
int ipc_will_make(const IpcDescEntry *desc, const char *file);
int ipc_made(const IpcDescEntry *desc, int id, const char *what);
/* Owner and mode for IPC_SET. */
void ipc_perm_set(const IpcDescEntry *desc, struct ipc_perm *perm);
