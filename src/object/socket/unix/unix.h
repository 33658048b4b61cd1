/* SPDX-License-Identifier: GPL-2.0-only */
/* Unix sockets: what unix.c, unix-name.c, unix-peer.c, unix-external.c and queue.c share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/list.h"
#include "base/table.h"
#include "image/image.h"
#include "object/file/file.h"
#include "sk-unix.pb-c.h"

struct pair_stock;
struct unix_diag;

/* unix_sk_entry.uflags */
#define UNIX_EXTERN   1 /* outside of the tree */
#define UNIX_SERVICE  2 /* its peer is the service that dumps */
#define UNIX_CALLBACK 4 /* a plugin restores it */
#define UNIX_INHERIT  8 /* given by --inherit-fd */

extern const struct file_kind unix_kind;

/* --- dump --- */

struct unix_dumped {
	struct list all;
	const struct task *task; /* the first that has it, for messages */
	int task_fd;
	const struct unix_diag *diag;
	UnixSkEntry *entry;
	int listener_fd; /* of a listener with connections that wait: a copy, else -1 */
};

struct unix_early;

struct unix_dump {
	struct list all; /* struct unix_dumped */
	struct table *by_ino;
	struct image *queues;
	struct unix_early *early; /* unix-backlog.c */
	unsigned n_refused;	  /* unix-external.c */
	struct unix_question *questions;
	unsigned n, n_drained; /* sockets; those whose queues were looked into */
	unsigned n_lost;       /* clients made up for connections whose own are closed */
};

struct unix_dump *unix_dump_of(const struct dump *d);
/* unix-name.c: the name, and of a name in the file system its directory, permissions and whether it still leads there.
 */
int unix_dump_name(const struct dump *d, const struct open_file *of, UnixSkEntry *entry);
/* unix-external.c: the peer is not in the tree. Makes an entry for it where the options allow that, else refuses. */
int unix_dump_external(const struct dump *d, const struct unix_dumped *socket, const struct unix_diag *peer);
/* At write: those that plugins may want. */
int unix_dump_ask(struct dump *d);
/* unix-external.c: a connection of an outsider waits in the backlog of a listener of the tree. Allowed by the options,
 * or refused. */
int unix_check_waiting(const struct dump *d, const struct unix_dumped *listener, uint32_t client);
/* unix-backlog.c: at drain keeps a copy of a listener whose backlog is not empty. */
int unix_hold_listener(struct unix_dumped *dumped, int fd);
/* At finish: records of all that wait for accept(2). What was sent already is read by unix_dump_take(), when the
 * tasks are about to die. */
int unix_dump_backlog(const struct dump *d, const struct unix_dumped *listener);
int unix_dump_take(struct dump *d);
/* queue.c: what waits in a connection that we have accepted ourselves, for the client with this file id. */
int unix_dump_early_queue(struct dump *d, int fd, uint32_t id, uint32_t type);
/* queue.c: all that waits to be read, without taking it out. */
int unix_dump_queue(struct dump *d, const struct open_file *of, const UnixSkEntry *entry);

/* --- restore --- */

struct unix_socket {
	struct file *file; /* file->data is this struct */
	UnixSkEntry *entry;
	struct unix_socket *peer;     /* NULL: none, closed, or waiting in a backlog */
	struct unix_socket *listener; /* in whose backlog it waits, or whose name it got at accept(2) */
	struct list clients; /* datagram: those connected to it without being its peer; listener: what came from it */
	struct list client;
	bool waiting;	/* for accept(2) */
	bool connected; /* datagram: its own connect(2) is done */
	int closed_end; /* our end of a pair whose other end nobody has, until the queue is filled; else -1 */
};

struct unix_set {
	struct table *by_ino;	  /* struct unix_socket */
	struct list listeners;	  /* by client */
	struct table *packets;	  /* file id → struct packet_list */
	struct pair_stock *stock; /* unix-maker.c */
};

struct unix_set *unix_set_of(const struct restore *r);

static inline bool unix_is_stream(const UnixSkEntry *entry)
{
	return entry->type != SOCK_DGRAM;
}

/* Has somebody else the abstract name, now? */
int unix_check_free(const UnixSkEntry *entry);

static inline bool unix_has_name(const UnixSkEntry *entry)
{
	return entry->name.len != 0;
}

static inline bool unix_is_path(const UnixSkEntry *entry)
{
	return entry->name.len && entry->name.data[0];
}

/* unix-name.c */
int unix_check_name(const UnixSkEntry *entry);
/* Binds fd to the name of the socket as the tasks see it. An old socket file of nobody is replaced. */
int unix_bind(struct restore *r, const struct unix_socket *socket, int fd);
/* Binds fd to the name where nobody else sees it: getsockname(2) tells the name, but no path leads there. */
int unix_bind_hidden(const UnixSkEntry *entry, int fd);
/* Connects fd, the end of client (NULL: of nobody), to a socket that was bound by us, whatever became of its name. */
int unix_connect(struct restore *r, const struct unix_socket *client, int fd, const struct unix_socket *to, int to_fd);
int unix_connect_name(struct restore *r, const struct unix_socket *client, int fd, const UnixSkEntry *to);

/* The address by which we can send to a socket of ours that has a name. ret_file: must stay open as long as it is used,
 * or -1. */
int unix_address(const struct unix_socket *to, struct sockaddr_un *address, socklen_t *size, int *ret_file);

struct unix_target {
	int file; /* O_PATH of the socket file, or -1: by its address */
	struct sockaddr_un address;
	socklen_t size;
};

/* unix-maker.c: calls that leave the caller's ids in the socket. */
int unix_listen(struct restore *r, const struct unix_socket *socket, int fd, int backlog);
int unix_connect_as(struct restore *r, const struct unix_socket *client, int fd,
		    const struct unix_target *target); /* -errno, unlogged */
void unix_maker_done(struct unix_set *set);
int unix_socketpair(struct restore *r, const struct unix_socket *a, const struct unix_socket *b, int ends[2]);

/* unix-peer.c: makes the socket and all that can only be made together with it. */
int unix_create(struct restore *r, struct unix_socket *socket);

/* needs.c */
const char *unix_describe(const struct file *f, struct pool *pool);
int unix_need(const struct restore *r, struct file *f);

/* unix-sender.c: a datagram can be sent to it from a socket of any name. */
bool unix_can_name_sender(const struct unix_socket *to);
/* A socket of this name, to be closed by the caller. -ENOENT, unlogged: the name is taken by a stranger. */
int unix_open_sender(struct restore *r, const ProtobufCBinaryData *name);

/* queue.c */
int unix_load_queues(const struct restore *r);
int unix_use_queue(const struct restore *r, const struct unix_socket *socket); /* at link */
bool unix_has_queue(struct restore *r, const struct unix_socket *socket);
/* Sends what waited in the socket through another that is connected to it. */
int unix_fill_queue(struct restore *r, const struct unix_socket *socket, int through);
