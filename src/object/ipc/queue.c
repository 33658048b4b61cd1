/* SPDX-License-Identifier: GPL-2.0-only */
/* System V message queues with their messages, which are copied without being taken out: MSG_COPY, see msgop(2). */
#include "object/ipc/queue.h"

#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#include "base/auto.h"
#include "base/fail.h"
#include "image/payload.h"
#include "image/record.h"
#include "object/ipc/ipc.h"
#include "session/session.h"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13 /* since 4.17 */
#endif

#define MESSAGES_MAX (1u << 24)

static int stat_index(int index)
{
	struct msqid_ds ds;
	int id = msgctl(index, MSG_STAT_ANY, &ds);

	return id < 0 ? -errno : id;
}

/* The kernel wants room for the longest message that there may be by now. */
static int copy_messages(const struct dump *d, int id, size_t capacity, struct ipc_queue *queue)
{
	AUTO_FREE struct msgbuf *buffer = xmalloc(sizeof(long) + capacity + 1);

	for (uint32_t i = 0; i < queue->record->qnum; i++) {
		ssize_t size = msgrcv(id, buffer, capacity, (long)i, IPC_NOWAIT | MSG_COPY);

		if (size < 0)
			return fail_errno("copying message %u of System V message queue %d", i, id);
		queue->messages[i].type = (uint64_t)buffer->mtype;
		queue->messages[i].text = pool_copy(d->pool, buffer->mtext, (size_t)size);
		queue->messages[i].size = (size_t)size;
	}
	return 0;
}

static int find_queue(struct ipc_contents *contents, int id)
{
	const struct dump *d = contents->d;
	struct ipc_queue *queue = &contents->queues[contents->n_queues++];
	IpcMsgEntry *record = queue->record = pool_new(d->pool, IpcMsgEntry);
	struct msqid_ds ds;

	if (msgctl(id, IPC_STAT, &ds) < 0)
		return fail_errno("looking at System V message queue %d", id);
	ipc_msg_entry__init(record);
	record->desc = ipc_desc_new(d, &ds.msg_perm, id);
	record->qbytes = (uint32_t)ds.msg_qbytes;
	record->qnum = (uint32_t)ds.msg_qnum;
	queue->bytes = ds.__msg_cbytes;
	return 0;
}

int ipc_queues_find(struct ipc_contents *contents)
{
	struct msginfo info;
	struct ipc_ids ids = { 0 };
	int last = msgctl(0, MSG_INFO, (struct msqid_ds *)&info), error = 0;

	if (last < 0)
		return fail_errno("looking for System V message queues");
	TRY(ipc_ids_find(info.msgpool ? last : -1, stat_index, &ids));
	contents->queues = pool_array(contents->d->pool, struct ipc_queue, ids.n);
	for (size_t i = 0; i < ids.n && error == 0; i++)
		error = find_queue(contents, ids.items[i]);
	vector_done(&ids);
	return error;
}

static int write_queue(struct image *image, const struct ipc_queue *queue)
{
	TRY(image_write(image, queue->record));
	for (uint32_t i = 0; i < queue->record->qnum; i++) {
		IpcMsg message = IPC_MSG__INIT;

		message.mtype = queue->messages[i].type;
		message.msize = (uint32_t)queue->messages[i].size;
		TRY(image_write(image, &message));
		TRY(image_write_bytes(image, queue->messages[i].text, queue->messages[i].size));
		TRY(image_write_padding(image, queue->messages[i].size, 8));
	}
	return 0;
}

int ipc_queues_copy(struct ipc_contents *contents)
{
	for (size_t i = 0; i < contents->n_queues; i++) {
		struct ipc_queue *queue = &contents->queues[i];

		queue->messages = pool_array(contents->d->pool, struct ipc_message, queue->record->qnum);
		TRY(copy_messages(contents->d, (int)queue->record->desc->id, queue->bytes, queue));
	}
	return 0;
}

int ipc_queues_write(const struct ipc_contents *contents, struct store *store, uint32_t number)
{
	AUTO(image_close) struct image *image = NULL;

	TRY(image_create(store, &image, IMAGE_IPCNS_MSG, number));
	for (size_t i = 0; i < contents->n_queues; i++)
		TRY(write_queue(image, &contents->queues[i]));
	return image_finish(&image);
}

/* --- restore --- */

static int read_queue(const struct restore *r, struct image *image, IpcMsgEntry *record, struct ipc_queue *queue)
{
	VECTOR(struct ipc_message) found = { 0 };
	int more = ipc_desc_check(record->desc, "ipcns-msg");
	size_t capacity;
	IpcMsg *item;

	TRY(more);
	for (uint32_t i = 0; i < record->qnum && more >= 0; i++) {
		struct ipc_message *message;

		more = image_read(image, &item);
		if (more == 0)
			more = image_refuse(image, "a queue has %u messages, and %u are here", record->qnum, i);
		if (more < 0)
			break;
		message = vector_push(&found);
		message->type = item->mtype;
		more = image_read_payload(image, &message->text, &capacity);
		message->size = item->msize;
		if (more >= 0 && (capacity < item->msize || item->mtype > INT64_MAX || !item->mtype))
			more = image_refuse(image, "the message makes no sense");
	}
	*queue = (struct ipc_queue){
		.record = record,
		.messages = pool_copy(r->pool, found.items, found.n * sizeof(*found.items)),
	};
	vector_done(&found);
	return more < 0 ? more : 0;
}

int ipc_queues_read(struct ipc_contents *contents, uint32_t number)
{
	AUTO(image_close) struct image *image = NULL;
	VECTOR(struct ipc_queue) found = { 0 };
	IpcMsgEntry *record;
	int more = image_open(contents->r->store, &image, IMAGE_IPCNS_MSG, number);

	if (more < 0)
		return more == -ENOENT ? 0 : more;
	while ((more = image_read(image, &record)) > 0) {
		more = read_queue(contents->r, image, record, vector_push(&found));
		if (more < 0)
			break;
	}
	contents->queues = pool_copy(contents->r->pool, found.items, found.n * sizeof(*found.items));
	contents->n_queues = found.n;
	vector_done(&found);
	return more;
}

static int send_messages(int id, const struct ipc_queue *queue)
{
	for (uint32_t i = 0; i < queue->record->qnum; i++) {
		const struct ipc_message *message = &queue->messages[i];
		AUTO_FREE struct msgbuf *buffer = xmalloc(sizeof(long) + message->size + 1);

		buffer->mtype = (long)message->type;
		memcpy(buffer->mtext, message->text, message->size);
		if (msgsnd(id, buffer, message->size, IPC_NOWAIT) < 0)
			return fail_errno("putting message %u into System V message queue %d", i, id);
	}
	return 0;
}

static int set_queue(int id, const IpcDescEntry *desc, uint64_t bytes)
{
	struct msqid_ds ds;

	if (msgctl(id, IPC_STAT, &ds) < 0)
		return fail_errno("looking at System V message queue %d", id);
	ipc_perm_set(desc, &ds.msg_perm);
	ds.msg_qbytes = bytes;
	return msgctl(id, IPC_SET, &ds) < 0 ? fail_errno("setting the owner of System V message queue %d", id) : 0;
}

/* More may be in it than would fit now: the limit of a queue can be lowered. */
static int make_queue(const struct ipc_queue *queue)
{
	const IpcMsgEntry *record = queue->record;
	uint64_t size = 0;
	int id;

	for (uint32_t i = 0; i < record->qnum; i++)
		size += queue->messages[i].size + 1; /* as many empty ones as bytes fit into a queue */
	TRY(ipc_will_make(record->desc, "msg_next_id"));
	id = msgget((key_t)record->desc->key, IPC_CREAT | IPC_EXCL | (int)(record->desc->mode & 0777));
	TRY(ipc_made(record->desc, id, "System V message queue"));
	TRY(set_queue(id, record->desc, size > record->qbytes ? size : record->qbytes));
	TRY(send_messages(id, queue));
	return set_queue(id, record->desc, record->qbytes);
}

int ipc_queues_make(struct ipc_contents *contents)
{
	for (size_t i = 0; i < contents->n_queues; i++)
		TRY(make_queue(&contents->queues[i]));
	return 0;
}
