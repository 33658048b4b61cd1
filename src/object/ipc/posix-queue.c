/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * POSIX message queues of an IPC namespace, whether a task has them open or not: they live until they are unlinked. A
 * mount of the mqueue file system that nobody else sees shows those of the namespace that we are in. Nobody can look at
 * messages without taking them, so they are taken and put back.
 */
#include "object/ipc/posix-queue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "image/record.h"
#include "object/ipc/ipc.h"
#include "session/ids.h"
#include "session/loss.h"

#define BYTES_MAX (32u << 20) /* of the messages of one queue */

static int open_all(void)
{
	AUTO_CLOSE int fs = fsopen("mqueue", FSOPEN_CLOEXEC);
	AUTO_CLOSE int mount = -1;
	int fd;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail_errno("looking for POSIX message queues");
	mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	fd = mount < 0 ? -1 : openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail_errno("looking for POSIX message queues") : fd;
}

/* --- dump --- */

/* "QSIZE:0 NOTIFY:0 SIGNO:10 NOTIFY_PID:8260" */
static int check_notification(const struct dump *d, int fd, long messages)
{
	char text[128];
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
	const char *pid;

	if (size < 0)
		return fail_errno("looking at a POSIX message queue");
	text[size] = '\0';
	pid = strstr(text, "NOTIFY_PID:");
	if (!pid || strtol(pid + strlen("NOTIFY_PID:"), NULL, 10) == 0)
		return 0;
	/* The first message that is put back into it would tell that process. */
	if (messages)
		return refuse(EOPNOTSUPP,
			      "it holds messages, and a process waits for a notification (mq_notify): that cannot be "
			      "saved; let the program read the messages");
	dump_report_loss(d, "the notification that a process waits for (mq_notify): it will have to ask again");
	return 0;
}

static int find_one(const struct dump *d, int dir, const char *name, IpcMqueueEntry **ret)
{
	AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	IpcMqueueEntry *entry = pool_new(d->pool, IpcMqueueEntry);
	MqueueEntry *queue = pool_new(d->pool, MqueueEntry);
	struct mq_attr attr;
	struct stat st;

	LOG_SCOPE("POSIX message queue /%s", name);
	if (fd < 0 || fstat(fd, &st) < 0 || mq_getattr(fd, &attr) < 0)
		return fail_errno("looking at it");
	TRY(check_notification(d, fd, attr.mq_curmsgs));
	if ((uint64_t)attr.mq_curmsgs * (uint64_t)attr.mq_msgsize > BYTES_MAX)
		return refuse(EOPNOTSUPP,
			      "it holds %ld messages of up to %ld bytes, which is too much: let the program "
			      "read them",
			      attr.mq_curmsgs, attr.mq_msgsize);
	ipc_mqueue_entry__init(entry);
	mqueue_entry__init(queue);
	entry->name = pool_string(d->pool, name);
	entry->mode = st.st_mode & 07777;
	entry->queue = queue;
	queue->inode = st.st_ino;
	queue->maxmsg = (uint64_t)attr.mq_maxmsg;
	queue->msgsize = (uint64_t)attr.mq_msgsize;
	queue->uid = dump_inner_uid(d, st.st_uid);
	queue->gid = dump_inner_gid(d, st.st_gid);
	queue->messages = pool_array(d->pool, MqueueMessage *, (size_t)attr.mq_curmsgs);
	queue->n_messages = (size_t)attr.mq_curmsgs;
	*ret = entry;
	return 0;
}

struct queues {
	VECTOR(IpcMqueueEntry *) list;
};

static void keep_queues(struct ipc_contents *contents, struct pool *pool, struct queues *found)
{
	contents->n_posix_queues = found->list.n;
	contents->posix_queues = pool_copy(pool, found->list.items, found->list.n * sizeof(*found->list.items));
	vector_done(&found->list);
}

int ipc_posix_queues_find(struct ipc_contents *contents)
{
	int dir = open_all();
	AUTO_CLOSEDIR DIR *list = dir < 0 ? NULL : fdopendir(dir);
	const struct dirent *entry;
	struct queues found = { 0 };
	int error = 0;

	TRY(dir);
	while (error == 0 && (entry = readdir(list)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			error = find_one(contents->d, dir, entry->d_name, vector_push(&found.list));
	keep_queues(contents, contents->d->pool, &found);
	return error;
}

static int take_messages(const struct dump *d, int fd, MqueueEntry *queue)
{
	AUTO_FREE char *text = xmalloc(queue->msgsize + 1);
	size_t n = queue->n_messages;

	queue->n_messages = 0;
	while (queue->n_messages < n) {
		MqueueMessage *message = pool_new(d->pool, MqueueMessage);
		ssize_t size;

		mqueue_message__init(message);
		size = mq_receive(fd, text, queue->msgsize, &message->priority);
		if (size < 0)
			return errno == EAGAIN ? 0 : fail_errno("taking its messages");
		message->text.len = (size_t)size;
		message->text.data = pool_copy(d->pool, text, (size_t)size);
		queue->messages[queue->n_messages++] = message;
	}
	return 0;
}

static int put_messages(int fd, const MqueueEntry *queue)
{
	for (size_t i = 0; i < queue->n_messages; i++) {
		const MqueueMessage *message = queue->messages[i];

		if (mq_send(fd, (const char *)message->text.data, message->text.len, message->priority) < 0)
			return fail_errno("putting message %zu into it", i);
	}
	return 0;
}

static int copy_one(const struct dump *d, int dir, const IpcMqueueEntry *entry)
{
	AUTO_CLOSE int fd = openat(dir, entry->name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int taken;

	LOG_SCOPE("POSIX message queue /%s", entry->name);
	if (fd < 0)
		return fail_errno("opening it");
	taken = take_messages(d, fd, entry->queue);
	TRY(put_messages(fd, entry->queue));
	return taken;
}

int ipc_posix_queues_copy(struct ipc_contents *contents)
{
	AUTO_CLOSE int dir = contents->n_posix_queues ? open_all() : -1;
	int error = 0;

	if (!contents->n_posix_queues)
		return 0;
	TRY(dir);
	prctl(PR_SET_PDEATHSIG, 0); /* should criu die, this process still puts back what it has taken */
	for (size_t i = 0; i < contents->n_posix_queues && error == 0; i++)
		if (contents->posix_queues[i]->queue->n_messages)
			error = copy_one(contents->d, dir, contents->posix_queues[i]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return error;
}

int ipc_posix_queues_write(const struct ipc_contents *contents, struct store *store, uint32_t number)
{
	AUTO(image_close) struct image *image = NULL;

	TRY(image_create(store, &image, IMAGE_IPCNS_MQUEUE, number));
	for (size_t i = 0; i < contents->n_posix_queues; i++)
		TRY(image_write(image, contents->posix_queues[i]));
	return image_finish(&image);
}

/* --- restore --- */

int ipc_posix_queues_read(struct ipc_contents *contents, uint32_t number)
{
	AUTO(image_close) struct image *image = NULL;
	struct queues found = { 0 };
	IpcMqueueEntry *entry;
	int more = image_open(contents->r->store, &image, IMAGE_IPCNS_MQUEUE, number);

	if (more < 0)
		return more == -ENOENT ? 0 : more;
	while (more >= 0 && (more = image_read(image, &entry)) > 0) {
		if (!*entry->name || strchr(entry->name, '/') || strlen(entry->name) > NAME_MAX ||
		    entry->queue->maxmsg > INT32_MAX || entry->queue->msgsize > INT32_MAX)
			more = image_refuse(image, "a message queue that makes no sense");
		*vector_push(&found.list) = entry;
	}
	keep_queues(contents, contents->r->pool, &found);
	return more;
}

static int make_one(const IpcMqueueEntry *entry)
{
	const MqueueEntry *queue = entry->queue;
	struct mq_attr attr = { .mq_maxmsg = (long)queue->maxmsg, .mq_msgsize = (long)queue->msgsize };
	AUTO_FREE char *name = xprintf("/%s", entry->name);
	AUTO_CLOSE int fd =
		mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC, entry->mode & 0777, &attr);

	LOG_SCOPE("POSIX message queue %s", name);
	if (fd < 0)
		return fail_errno("making it (see /proc/sys/fs/mqueue and ulimit -q for the limits)");
	TRY(put_messages(fd, queue));
	if (fchown(fd, queue->uid, queue->gid) < 0 || fchmod(fd, entry->mode & 07777) < 0)
		return fail_errno("setting its owner and mode");
	return 0;
}

int ipc_posix_queues_make(struct ipc_contents *contents)
{
	for (size_t i = 0; i < contents->n_posix_queues; i++)
		TRY(make_one(contents->posix_queues[i]));
	return 0;
}
