/* SPDX-License-Identifier: GPL-2.0-only */
/* Internet sockets: what inet.c, inet-address.c and tcp.c share. */
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
};

static inline socklen_t inet_address_size(const union inet_address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

/* inet-address.c: both directions between the kernel's form and the record. */
int inet_dump_addresses(int fd, const struct inet_diag *diag, InetSkEntry *entry, struct pool *pool);
int inet_check_addresses(const InetSkEntry *entry);
bool inet_is_bound(const InetSkEntry *entry);
bool inet_is_connected(const InetSkEntry *entry);
int inet_source(const InetSkEntry *entry, union inet_address *ret);
int inet_destination(const InetSkEntry *entry, union inet_address *ret);
/* "10.0.0.1:22 -> 10.0.0.7:41000", for messages. */
void inet_print(const InetSkEntry *entry, char *to, size_t capacity);

/* inet.c: all of a restore. */
struct list *inet_sockets_of(const struct restore *r);
/* map.c: the addresses of a record become those that --tcp-map says. */
void inet_map_addresses(const struct restore *r, InetSkEntry *entry);

/* bind.c. dump: no device of the namespace that we are in has the address that it is bound to. */
bool inet_is_foreign(const InetSkEntry *entry);
/* restore: gives it its own name. */
int inet_bind(struct restore *r, const struct inet_socket *socket, int fd);
/* -errno, not logged. */
int inet_try_bind(int fd, const InetSkEntry *entry);
int inet_bind_in_repair(int fd, const InetSkEntry *entry);
bool inet_has_waiting(const InetSkEntry *entry); /* connections in TIME-WAIT on its port, which restore would end */
/* Ends what is left of this connection and belongs to nobody; how many there were. -errno, not logged. */
int inet_end_remains(const InetSkEntry *entry);
/* After bind(2) failed: what is to be done. */
int inet_fail_bind(const InetSkEntry *entry, int error);
/* Has somebody else the address, now? */
int inet_check_free(const InetSkEntry *entry);
/* The records of its options. */
struct socket_options inet_options(const InetSkEntry *entry);

/* needs.c */
const char *inet_describe(const struct file *f, struct pool *pool);
int inet_need(const struct restore *r, struct file *f);
/* udp-cork.c: takes what the socket holds back, and gives it back to it; after a restore it is written again. */
int udp_cork_dump(int fd, InetSkEntry *entry, struct pool *pool);
int udp_cork_check(const InetSkEntry *entry);
int udp_cork_write(int fd, const InetSkEntry *entry, const InetCorkedEntry *corked);

/* udp-queue.c: datagrams that were not read. Those that cannot be kept are lost with a warning. restore: right after
 * bind(2). */
int udp_queue_dump(struct dump *d, int fd, InetSkEntry *entry);
int udp_queue_check(const InetSkEntry *entry);
int udp_queue_restore(int fd, const InetSkEntry *entry);

/* multicast.c. Those of the network namespace that the calling thread is in. */
struct multicast_groups;
struct multicast_groups *multicast_read(struct pool *pool);
void multicast_dump(const struct multicast_groups *groups, int fd, InetSkEntry *entry, struct pool *pool);
int multicast_check(const InetSkEntry *entry);
int multicast_restore(const InetSkEntry *entry, int fd);

/* tcp.c. The states are those of the kernel: TCP_ESTABLISHED, ... */
bool tcp_is_connection(uint32_t state);
int tcp_dump(const struct dump *d, const struct open_file *of, InetSkEntry *entry, struct list *waiting);
int tcp_dump_write(struct dump *d, struct list *waiting);
int tcp_load(const struct restore *r, struct inet_socket *socket);
/* fd is a new socket with its early options; connects it in repair mode. -EAGAIN: to be tried again with another one.
 */
int tcp_restore(struct restore *r, struct inet_socket *socket, int fd);
/* A connection that both sides have ended keeps its names. */
bool tcp_is_ended(const InetSkEntry *entry);
int tcp_restore_ended(struct restore *r, struct inet_socket *socket, int fd);

/*
 * tcp-park.c: parks all tasks that have one of the files with these ids (keys; any value), so that none runs right
 * after our death. All must be unparked, also after a failure.
 */
struct table;
int tcp_park(struct dump *d, struct table *ids, struct list *parked);
int tcp_unpark(struct list *parked);
void tcp_hold_parked(struct list *parked); /* there is a guard: should we die, they wait for it; */
void tcp_wake_parked(struct list *parked); /* for the guard: they need not wait longer */

/* tcp-guard.c: around repair mode of a socket that a task has. If we are killed in between, somebody else ends it. */
/* Leaves repair mode without the probe that asks the other side for its window. The mode takes SO_REUSEADDR away: it is
 * set to reuse. 0 or -errno, not logged. */
int tcp_leave_repair(int fd, int reuse);
struct tcp_guard;
int tcp_guard_start(struct tcp_guard **guard, struct list *parked); /* it lets the parked tasks run when we are dead */
void tcp_guard_enter(struct tcp_guard *guard, int fd, bool reuse);
int tcp_guard_leave(struct tcp_guard *guard); /* leaves repair mode */
void tcp_guard_end(struct tcp_guard **guard);
