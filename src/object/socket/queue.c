/* SPDX-License-Identifier: GPL-2.0-only */
/* What waits unread in unix sockets: sk-queues.img. It is only looked at, so a dump that fails has changed nothing. */
#include "object/socket/queue.h"

#include <linux/sockios.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "image/payload.h"
#include "image/record.h"
#include "object/socket/options.h"
#include "object/socket/unix/name.h"
#include "object/socket/unix/sender.h"
#include "object/socket/unix/served.h"
#include "object/socket/unix/unix.h"
#include "session/ids.h"
#include "session/pids.h"
#include "sk-packet.pb-c.h"

/* One look at a stream; its chunks have no boundaries that a reader could see. */
#define CHUNK (256 * 1024)
#ifndef SCM_PIDFD
#define SCM_PIDFD 4 /* Linux 6.5 */
#endif
#define RIGHTS_MAX 253 /* SCM_MAX_FD, unix(7) */

/* --- dump --- */

union control {
	size_t align; /* that of a struct cmsghdr, which clang does not want inside of another struct */
	char bytes[CMSG_SPACE(RIGHTS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(256)];
};

struct peeked_message {
	char *data;
	size_t size, capacity;
	int rights[RIGHTS_MAX];
	unsigned n_rights;
	uint64_t seen;	     /* bytes, of all messages */
	int total;	     /* bytes that wait: of a datagram socket, in its first message */
	struct ucred sender; /* pid 0: nobody told */
	struct sockaddr_un name;
	socklen_t name_size;
	bool datagrams;
	bool ended; /* nothing more can come: that, too, looks like a message of size 0 */
};

static void close_rights(struct peeked_message *looked)
{
	for (unsigned i = 0; i < looked->n_rights; i++)
		close(looked->rights[i]);
	looked->n_rights = 0;
}

static void take_control(struct peeked_message *looked, struct msghdr *message)
{
	looked->n_rights = 0;
	looked->sender.pid = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS) {
			looked->n_rights = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(looked->rights, CMSG_DATA(c), looked->n_rights * sizeof(int));
		} else if (c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&looked->sender, CMSG_DATA(c), sizeof(looked->sender));
		} else if (c->cmsg_type == SCM_PIDFD) {
			close(*(const int *)CMSG_DATA(c));
		}
	}
}

/* One recvmsg(2) with all that may come beside the data. */
static ssize_t receive_peeking(int fd, struct peeked_message *looked, size_t capacity, int flags)
{
	union control control;
	struct iovec iov = { looked->data, capacity };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control),
				  .msg_name = &looked->name,
				  .msg_namelen = sizeof(looked->name) };
	ssize_t size = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC | flags);

	if (size < 0)
		return errno == EAGAIN ? -EAGAIN : fail_errno("cannot look at the unread data");
	looked->name_size = message.msg_namelen;
	take_control(looked, &message);
	return size;
}

/*
 * The next packet after those already seen: SO_PEEK_OFF moves on with every look. Returns 1, or 0 at the end. The size
 * of a datagram is asked first; one of size 0 counts as seen by that question already.
 */
static int peek_message(int fd, bool stream, struct peeked_message *looked)
{
	ssize_t size = CHUNK;

	looked->n_rights = 0;
	looked->size = 0;
	if (!stream) {
		size = receive_peeking(fd, looked, 0, MSG_TRUNC);
		if (size < 0)
			return size == -EAGAIN ? 0 : (int)size;
		if (!size)
			return looked->n_rights || !looked->ended || looked->seen < (uint64_t)looked->total;
		close_rights(looked); /* they come again */
	}
	if ((size_t)size > looked->capacity) {
		looked->data = xrealloc(looked->data, (size_t)size);
		looked->capacity = (size_t)size;
	}
	size = receive_peeking(fd, looked, (size_t)size, 0);
	if (size < 0)
		return size == -EAGAIN ? 0 : (int)size;
	looked->size = (size_t)size;
	looked->seen += (size_t)size;
	return size > 0 || !stream;
}

static void note_sender(const struct dump *d, SkPacketEntry *packet, const struct peeked_message *looked)
{
	const size_t offset = offsetof(struct sockaddr_un, sun_path);

	if (looked->datagrams && looked->name_size > offset) {
		packet->has_sender = true;
		packet->sender.data = (uint8_t *)looked->name.sun_path;
		packet->sender.len = looked->name_size - offset;
	}
	packet->sender_pid = looked->sender.pid > 0 ? (uint32_t)dump_inner_pid(d, looked->sender.pid) : 0;
	packet->has_sender_pid = packet->has_sender_uid = packet->has_sender_gid = packet->sender_pid != 0;
	packet->sender_uid = dump_inner_uid(d, looked->sender.uid);
	packet->sender_gid = dump_inner_gid(d, looked->sender.gid);
}

static int write_bytes(struct dump *d, SkPacketEntry *packet, const struct peeked_message *looked)
{
	struct unix_dump *dump = unix_dump_of(d);

	note_sender(d, packet, looked);
	if (!dump->queues)
		TRY(image_create(dump_store(d), &dump->queues, IMAGE_SK_QUEUES));
	TRY(image_write(dump->queues, packet));
	return image_write_bytes(dump->queues, looked->data, looked->size);
}

static int write_packet(struct dump *d, const struct open_file *of, struct peeked_message *looked)
{
	SkPacketEntry packet = SK_PACKET_ENTRY__INIT;
	ScmEntry scm = SCM_ENTRY__INIT, *scms = &scm;
	uint32_t ids[RIGHTS_MAX];

	packet.id_for = of->id;
	packet.length = (uint32_t)looked->size;
	for (unsigned i = 0; i < looked->n_rights; i++) {
		LOG_SCOPE("descriptor %u in a message", i);
		TRY(file_dump_loose(d, of->task, looked->rights[i], &ids[i]));
	}
	if (looked->n_rights) {
		scm.type = SCM_RIGHTS;
		scm.rights = ids;
		scm.n_rights = looked->n_rights;
		packet.scm = &scms;
		packet.n_scm = 1;
	}
	return write_bytes(d, &packet, looked);
}

static int write_all(struct dump *d, const struct open_file *of, bool stream, struct peeked_message *looked)
{
	char urgent;
	int more;

	if (ioctl(of->fd, SIOCINQ, &looked->total) < 0)
		return fail_errno("cannot ask how much is unread");
	if (stream && recv(of->fd, &urgent, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) == 1)
		log_warn("An urgent byte (MSG_OOB) waits in this socket: it will be an ordinary one");
	while ((more = peek_message(of->fd, stream, looked)) > 0) {
		int result = write_packet(d, of, looked);

		close_rights(looked);
		TRY(result);
	}
	return more;
}

int unix_dump_queue(struct dump *d, const struct open_file *of, const UnixSkEntry *entry)
{
	struct peeked_message looked = { .datagrams = entry->type == SOCK_DGRAM,
					 .ended = entry->has_shutdown && entry->shutdown & SK_SHUTDOWN__READ };
	int before, start = 0, result;
	socklen_t size = sizeof(before);

	if (getsockopt(of->fd, SOL_SOCKET, SO_PEEK_OFF, &before, &size) < 0)
		return fail_errno("cannot read the socket option SO_PEEK_OFF");
	if (setsockopt(of->fd, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof(start)) < 0)
		return fail_errno("cannot set the socket option SO_PEEK_OFF");
	result = write_all(d, of, entry->type == SOCK_STREAM, &looked);
	if (setsockopt(of->fd, SOL_SOCKET, SO_PEEK_OFF, &before, sizeof(before)) < 0 && result >= 0)
		result = fail_errno("cannot set the socket option SO_PEEK_OFF back");
	free(looked.data);
	return result;
}

/* files.img is complete by now: descriptors in these messages come too late. Taken out, as nobody else will read it. */
static int write_early(struct dump *d, int fd, uint32_t id, bool stream, struct peeked_message *looked)
{
	int start = 0, more;

	if (ioctl(fd, SIOCINQ, &looked->total) < 0)
		return fail_errno("cannot ask how much is unread");
	if (setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof(start)) < 0)
		return fail_errno("cannot set the socket option SO_PEEK_OFF");
	while ((more = peek_message(fd, stream, looked)) > 0) {
		SkPacketEntry packet = SK_PACKET_ENTRY__INIT;

		if (looked->n_rights)
			log_warn("%u descriptors that were sent before the connection was accepted are lost",
				 looked->n_rights);
		close_rights(looked);
		packet.id_for = id;
		packet.length = (uint32_t)looked->size;
		TRY(write_bytes(d, &packet, looked));
	}
	return more;
}

int unix_dump_early_queue(struct dump *d, int fd, uint32_t id, uint32_t type)
{
	struct peeked_message looked = {
		.ended = true
	}; /* its client is dead: messages of size 0 at the end look like the end */
	int result = unix_check_served(d, fd);

	if (result >= 0)
		result = write_early(d, fd, id, type == SOCK_STREAM, &looked);
	free(looked.data);
	return result;
}

/* --- restore --- */

struct packet {
	struct packet *next;
	SkPacketEntry *entry;
	void *data;
};

struct packet_list {
	struct packet *first, **last;
};

static int check_packet(struct image *image, const SkPacketEntry *entry)
{
	if (entry->n_scm > 1 || (entry->n_scm && entry->scm[0]->type != SCM_RIGHTS))
		return image_refuse(image, "a message has control data of an unknown kind");
	if (entry->n_scm && entry->scm[0]->n_rights > RIGHTS_MAX)
		return image_refuse(image, "a message has %zu descriptors", entry->scm[0]->n_rights);
	if (entry->has_sender && entry->sender.len > sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1)
		return image_refuse(image, "the name of a message's sender has %zu bytes", entry->sender.len);
	return 0;
}

static void add_packet(const struct restore *r, struct packet *packet)
{
	struct table *packets = unix_set_of(r)->packets;
	struct packet_list *list = table_find(packets, packet->entry->id_for);

	if (!list) {
		list = pool_new(r->pool, struct packet_list);
		list->last = &list->first;
		table_set(packets, packet->entry->id_for, list);
	}
	*list->last = packet;
	list->last = &packet->next;
}

int unix_load_queues(const struct restore *r)
{
	AUTO(image_close) struct image *image = NULL;
	SkPacketEntry *entry;
	int more = image_open(r->store, &image, IMAGE_SK_QUEUES);

	if (more < 0)
		return more == -ENOENT ? 0 : more;
	while ((more = image_read(image, &entry)) > 0) {
		struct packet *packet = pool_new(r->pool, struct packet);
		size_t size;

		TRY(check_packet(image, entry));
		packet->entry = entry;
		TRY(image_read_payload(image, &packet->data, &size));
		add_packet(r, packet);
	}
	return more;
}

static const struct packet *first_packet(const struct restore *r, const struct unix_socket *socket)
{
	const struct packet_list *list = table_find(unix_set_of(r)->packets, socket->file->id);

	return list ? list->first : NULL;
}

bool unix_has_queue(const struct restore *r, const struct unix_socket *socket)
{
	return first_packet(r, socket) != NULL;
}

int unix_use_queue(const struct restore *r, const struct unix_socket *socket)
{
	for (const struct packet *packet = first_packet(r, socket); packet; packet = packet->next)
		for (size_t i = 0; packet->entry->n_scm && i < packet->entry->scm[0]->n_rights; i++)
			TRY(file_use(r, packet->entry->scm[0]->rights[i], NULL));
	return 0;
}

/* Who sent it is not in the images of CRIU: most likely the task that has the other end. */
static bool find_sender(const struct restore *r, const struct unix_socket *socket, const SkPacketEntry *packet,
			struct ucred *ret)
{
	const struct unix_socket *other = socket->waiting ? socket : socket->peer;
	const struct task *owner = other ? other->file->owner : NULL;
	const CredsEntry *creds = owner && owner->leader->core && owner->leader->core->thread_core
					  ? owner->leader->core->thread_core->creds
					  : NULL;

	if (!socket->waiting && !socket->entry->opts->so_passcred)
		return false;
	if (packet->has_sender_pid && packet->has_sender_uid && packet->has_sender_gid)
		*ret = (struct ucred){ restore_outer_pid(r, (pid_t)packet->sender_pid),
				       restore_outer_uid(r, packet->sender_uid),
				       restore_outer_gid(r, packet->sender_gid) };
	else if (creds && owner->pid)
		/* the real ids: SO_PEERCRED tells the effective ones */
		*ret = (struct ucred){ owner->pid, restore_outer_uid(r, creds->uid), restore_outer_gid(r, creds->gid) };
	else
		return false;
	return ret->pid > 0;
}

static void add_control(struct msghdr *message, int type, const void *data, size_t size)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)message->msg_control + message->msg_controllen);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), data, size);
	message->msg_controllen += CMSG_SPACE(size);
}

/* How one message is put back. */
struct sending {
	struct msghdr message;
	struct iovec iov;
	size_t rights_size; /* of the control data that are descriptors: they come first */
	struct sockaddr_un address;
	int from, file;	       /* the socket that it is sent from, -1: through the other end; the file of the address */
	union control control; /* the last: struct cmsghdr ends in a flexible array */
};

static int add_rights(struct restore *r, const struct packet *packet, struct sending *sending)
{
	const ScmEntry *scm = packet->entry->n_scm ? packet->entry->scm[0] : NULL;
	int rights[RIGHTS_MAX];

	for (size_t i = 0; scm && i < scm->n_rights; i++)
		TRY(file_get_fd(r, file_find(r, scm->rights[i]), &rights[i]));
	if (scm && scm->n_rights)
		add_control(&sending->message, SCM_RIGHTS, rights, scm->n_rights * sizeof(int));
	sending->rights_size = sending->message.msg_controllen;
	return 0;
}

static int choose_sender(struct restore *r, const struct unix_socket *socket, const struct packet *packet,
			 struct sending *sending)
{
	if (!packet->entry->has_sender || !unix_can_name_sender(socket))
		return 0;
	sending->from = unix_open_sender(r, &packet->entry->sender);
	if (sending->from == -ENOENT) {
		log_warn("The name of the sender of a waiting message is taken: it will look as if it had none");
		return 0;
	}
	TRY(sending->from);
	TRY(socket_options_make_capacity(sending->from, 2 * packet->entry->length, 0));
	sending->message.msg_name = &sending->address;
	return unix_address(socket, &sending->address, &sending->message.msg_namelen, &sending->file);
}

/* Falls back to what is possible: a sender may be dead, and its pid unused; the socket may take nothing from strangers.
 */
static ssize_t send_somehow(struct sending *sending, int through)
{
	ssize_t sent =
		sendmsg(sending->from >= 0 ? sending->from : through, &sending->message, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0 && sending->message.msg_controllen > sending->rights_size) {
		log_info("The sender of a waiting message is not there any more");
		sending->message.msg_controllen = sending->rights_size;
		return send_somehow(sending, through);
	}
	if (sent < 0 && sending->from >= 0) {
		sending->message.msg_name = NULL;
		sending->message.msg_namelen = 0;
		sent = sendmsg(through, &sending->message, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	return sent;
}

static int put_back(struct restore *r, const struct unix_socket *socket, const struct packet *packet,
		    struct sending *sending, int through)
{
	struct ucred sender;
	ssize_t sent;

	sending->iov = (struct iovec){ packet->data, packet->entry->length };
	sending->message =
		(struct msghdr){ .msg_iov = &sending->iov, .msg_iovlen = 1, .msg_control = &sending->control };
	TRY(add_rights(r, packet, sending));
	if (find_sender(r, socket, packet->entry, &sender))
		add_control(&sending->message, SCM_CREDENTIALS, &sender, sizeof(sender));
	TRY(choose_sender(r, socket, packet, sending));
	sent = send_somehow(sending, through);
	if (sent < 0)
		return fail_errno("cannot put %u unread bytes back", packet->entry->length);
	if ((size_t)sent != packet->entry->length)
		return refuse(EIO, "only %zd of %u unread bytes could be put back", sent, packet->entry->length);
	return 0;
}

static int send_packet(struct restore *r, const struct unix_socket *socket, const struct packet *packet, int through)
{
	const ScmEntry *scm = packet->entry->n_scm ? packet->entry->scm[0] : NULL;
	struct sending sending = { .from = -1, .file = -1 };
	int result = put_back(r, socket, packet, &sending, through);

	if (sending.from >= 0)
		close(sending.from);
	if (sending.file >= 0)
		close(sending.file);
	TRY(result);
	for (size_t i = 0; scm && i < scm->n_rights; i++)
		file_put(r, file_find(r, scm->rights[i]));
	return 0;
}

int unix_fill_queue(struct restore *r, const struct unix_socket *socket, int through)
{
	for (const struct packet *packet = first_packet(r, socket); packet; packet = packet->next)
		TRY(send_packet(r, socket, packet, through));
	return 0;
}
