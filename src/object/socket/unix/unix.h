/* SPDX-License-Identifier: GPL-2.0-only */
/* Unix sockets: what the sources of this folder share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/list.h"
#include "base/table.h"
#include "object/file/file.h"
#include "options/options.h"
#include "sk-unix.pb-c.h"

struct pair_stock;
struct unix_diag;
struct alike;

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
	struct {
		uint64_t ino;
		const struct unix_diag *diag;
		const struct alike *alike;
	} told;			  /* of the socket that was looked up last */
	struct unix_early *early; /* backlog.c */
	unsigned n_described;	  /* external.c */
	struct unix_question *questions;
	unsigned n, n_drained; /* sockets; those whose queues were looked into */
	unsigned n_lost;       /* clients made up for connections whose own are closed */
};

struct unix_dump *unix_dump_of(const struct dump *d);

/* --- restore --- */

struct unix_socket {
	struct file *file; /* file->data is this struct */
	UnixSkEntry *entry;
	struct unix_socket *peer;     /* NULL: none, closed, or waiting in a backlog */
	struct unix_socket *listener; /* in whose backlog it waits, or whose name it got at accept(2) */
	struct list clients; /* datagram: those connected to it without being its peer; listener: what came from it */
	struct list client;
	bool waiting;	/* for accept(2) */
	bool fresh;	/* one of a pair that was just made: nothing was set, and no queue was filled */
	int made_flags; /* of a fresh one: O_* */
	bool new_queue; /* another connection takes its place: what was unread is lost */
	enum opt_unix_peer_mode outside_how; /* of a peer outside: what becomes of it; 0: there is none */
	bool connected;			     /* datagram: its own connect(2) is done */
	int closed_end; /* our end of a pair whose other end nobody has, until the queue is filled; else -1 */
};

struct unix_set {
	struct table *by_ino;	  /* struct unix_socket */
	struct list listeners;	  /* by client */
	struct table *packets;	  /* file id → struct packet_list */
	struct pair_stock *stock; /* maker.c */
	struct {
		bool known;
		uint32_t ns_id;
		uint32_t send, receive;
	} buffers; /* of a fresh socket in a network namespace */
};

struct unix_set *unix_set_of(const struct restore *r);

static inline bool unix_is_stream(const UnixSkEntry *entry)
{
	return entry->type != SOCK_DGRAM;
}

static inline bool unix_has_name(const UnixSkEntry *entry)
{
	return entry->name.len != 0;
}

static inline bool unix_is_path(const UnixSkEntry *entry)
{
	return entry->name.len && entry->name.data[0];
}
