/* SPDX-License-Identifier: GPL-2.0-only */
/* Socket options: one table (options.def) for both directions. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "object/file/file.h"
#include "object/socket/set-only.h"
#include "sk-inet.pb-c.h"
#include "sk-opts.pb-c.h"
#include "tcp-stream.pb-c.h"

/* Which rows of the table concern a socket: bits of families and of types. */
enum option_family {
	OPTION_UNIX = 1,
	OPTION_INET = 2,
	OPTION_INET6 = 4,
	OPTION_NETLINK = 8,
	OPTION_PACKET = 16,
	OPTION_ANY = 31,
};

enum option_type {
	OPTION_TCP = 1,
	OPTION_UDP = 2, /* and UDP-Lite */
	OPTION_RAW = 4, /* SOCK_RAW of inet */
	OPTION_OTHER = 8,
	OPTION_ALL = 15,
	OPTION_IDLE = 16, /* TCP without a connection */
};

enum option_phase {
	OPTION_EARLY, /* before bind(2) */
	OPTION_LATE,  /* when names, peers and queues are in place */
	OPTION_LAST,  /* when all sockets of the tree have their names */
};

struct alike;

/* The records that hold the options of one socket; those that its family does not have are NULL. */
struct socket_options {
	int family, type, protocol;
	bool is_connection; /* of TCP */
	SkOptsEntry *common;
	IpOptsEntry *ip;
	IpOptsRawEntry *raw;
	TcpOptsEntry *tcp;
	/* Dump: true if the kernel's table of sockets has told the value already. NULL: it tells nothing. */
	bool (*told)(const void *diag, int level, int option, int *ret);
	const void *diag;	   /* its row, for told() */
	const struct alike *alike; /* dump: a fresh socket, as far as this one is like it; or NULL */
	struct set_only set_only;  /* dump: read by socket_options_dump() */
	/* Restore: it was just made, and nothing was set. What such a one has is not asked for. */
	bool is_fresh;
	uint32_t fresh_sndbuf, fresh_rcvbuf; /* its buffers; 0: not known */
};

/* Reads all options into the records. The rows of the table are in place at the first phase `finish`. */
int socket_options_dump(const struct dump *d, const struct open_file *of, const struct socket_options *options);
/* Restore, of unix sockets: whether nothing has to be set in one that was just made. */
bool socket_options_are_fresh(const struct socket_options *options);
/* Sets what differs from what fd has. */
int socket_options_apply(int fd, const struct socket_options *options, enum option_phase phase);
/* Room for everything that queues may hold: buffers of at least this many bytes, beyond the limits of the system. */
int socket_options_make_capacity(int fd, uint32_t send, uint32_t receive);
