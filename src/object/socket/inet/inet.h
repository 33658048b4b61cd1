/* SPDX-License-Identifier: GPL-2.0-only */
/* Internet sockets: what the sources of this folder share. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/list.h"
#include "object/file/file.h"
#include "object/socket/options.h"
#include "object/socket/socket.h"
#include "sk-inet.pb-c.h"

struct libsoccr_sk;

extern const struct file_kind inet_kind;

union inet_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* A socket being restored: file->data. */
struct inet_socket {
	struct file *file;
	InetSkEntry *entry;
	struct list all;
	bool nameless;			/* a closed connection whose peer's name could not be given back */
	struct tcp_stream *stream;	/* NULL: no connection, or to be restored closed */
	struct libsoccr_sk *connection; /* in repair mode until the end */
	bool awake;			/* has left repair mode; we still hold its file */
	unsigned n_waiting;		/* of a listener: connections in its backlog */
};

static inline socklen_t inet_address_size(const union inet_address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

/* All of a restore. */
struct list *inet_sockets_of(const struct restore *r);
/* The records of its options. */
struct socket_options inet_options(const InetSkEntry *entry);
