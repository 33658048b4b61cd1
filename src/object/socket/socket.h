/* SPDX-License-Identifier: GPL-2.0-only */
/* What all sockets share: what a descriptor is and the tables of the kernel. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fown.pb-c.h"
#include "object/file/file.h"
#include "session/session.h"
#include "sk-opts.pb-c.h"

struct inet_diag;
struct netlink_diag;
struct packet_diag;
struct unix_diag;

/* What socket(2) was given. */
struct socket_identity {
	int family, type, protocol;
};

/* Is this option, a number, not 0? */
bool socket_is_on(int fd, int level, int option);
/* Of a descriptor that is a socket; fails for others. */
int socket_identify(const struct open_file *of, struct socket_identity *ret);
/* True for a socket of this family; for file_kind.is. */
bool socket_is_family(const struct open_file *of, int family);
/* Of a dump whose tasks live on: connections may have to be taken out of a backlog, and put back. */
bool socket_may_take(const struct dump *d);
/* An error that waits in it: both kinds can be had only by taking them away. */
void socket_tell_error(const struct dump *d, const struct open_file *of);
/* Record with defaults, from the pool. */
SkOptsEntry *socket_new_options(struct pool *pool);
/* The number of the network namespace that the socket belongs to, in the numbering of the images. told: what its row of
 * the kernel's table says (space), or 0. */
int socket_namespace_id(const struct dump *d, const struct open_file *of, uint32_t told, uint32_t *ret);

/*
 * Rows of the kernel's tables, read at the first question. ret is NULL if there is none: the kernel may lack the table.
 * The structs live as long as the dump.
 */
int socket_find_unix(const struct dump *d, uint32_t ino, const struct unix_diag **ret);
size_t socket_count_unix(const struct dump *d); /* those that were read */
int socket_find_inet(const struct dump *d, const struct socket_identity *identity, uint32_t ino,
		     const struct inet_diag **ret);
/* Does another socket of the network namespace have the same address and port? */
int socket_shares_name(const struct dump *d, const struct socket_identity *identity, uint32_t ino, bool *ret);
int socket_find_packet(const struct dump *d, uint32_t ino, const struct packet_diag **ret);
int socket_find_netlink(struct dump *d, uint32_t ino, const struct netlink_diag **ret);
/* The unix listener in whose backlog the connection of this client waits for accept(2). */
int socket_find_listener(const struct dump *d, uint32_t client, const struct unix_diag **ret);

/*
 * Gives a socket made by us its owner: the one of the socket's inode counts for SO_REUSEPORT and for packet filters. Of
 * images without it, the user of the task that has it.
 */
int socket_set_user(const struct restore *r, const struct file *f);
/* shutdown(2) by the bits of the record; a socket without a connection takes it too, though the call says otherwise. */
int socket_apply_shutdown(int fd, SkShutdown shutdown);
