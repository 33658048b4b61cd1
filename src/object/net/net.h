/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The network lock: nobody outside talks to connections whose sockets are frozen, or not there at the moment.
 *
 * While criu runs, the rules are in an nftables table that belongs to its netlink socket (NFT_TABLE_F_OWNER, Linux
 * 5.12): the kernel removes it with the socket, so a criu that is killed, at any time, leaves no rule behind and the
 * tasks talk on. Only a dump that has succeeded and killed its tasks leaves rules on purpose, for the time until the
 * restore: by nftables or iptables as --network-lock says, named as by CRIU 4.2, and only for connections
 * whose other end is not in the checkpoint as well. Restore removes them at its very end; a restore that fails leaves
 * them for the next one.
 *
 * Each network namespace of the tree has rules of its own. One that is not criu's own is cut off as a whole, all but
 * packets with libsoccr's mark: who calls meanwhile is not turned away by a system without sockets, but tries again.
 */
#pragma once

#include "kern/net/netns.h"
#include "session/session.h"
#include "sk-inet.pb-c.h"

/* --- namespaces of the tree, by their ids in the images; 0 and criu's own: no visit --- */

struct namespace_set;

/* Whether there is one with this id, and it is not criu's own. */
bool network_is_other(const struct namespace_set *set, uint32_t id);
int network_dump_enter(const struct dump *d, uint32_t id, struct netns_switch *entered);
int network_restore_enter(struct restore *r, uint32_t id, struct netns_switch *entered);
/* The one that a socket belongs to: that in which it was made, not always that of the task that has it. */
int network_of_socket(const struct dump *d, const struct task *task, int fd, uint32_t *ret);
/* By its inode; 0: it is none of those. */
uint32_t network_of_inode(const struct dump *d, ino_t inode);
/* For all of them that have tasks, and criu's own, one after the other. */
int network_dump_each(const struct dump *d, int (*work)(const struct dump *d, void *arg), void *arg);
/* At load: a namespace with this id will be there. */
int network_restore_check(const struct restore *r, uint32_t id);

/* --- dump --- */
/* Nothing passes through this TCP port of the namespace any more, until the end of the dump. */
int network_shut_port(struct dump *d, uint32_t id, uint16_t port);
/* Cuts off the namespaces that are to be saved. */
int network_dump_isolate(struct dump *d);
/*
 * The connection will be saved. fd is a descriptor of its socket; a copy is held until the end of the dump, so that the
 * socket outlives its task and can be closed without a word. ret_fd is that copy. unrepairable: it has no
 * repair mode, and the lock must keep away what its end says.
 */
int network_hold_connection(const struct dump *d, const InetSkEntry *entry, int fd, bool unrepairable, int *ret_fd);
/* The same without a copy: its packets are kept away from now on, should the lock outlast the dump. */
void network_add_connection(const struct dump *d, const InetSkEntry *entry);
/* Keeps packets of all held connections away from now on. */
int network_lock_connections(struct dump *d);
/* The connection is not kept: its other end is told so when the tasks are gone. */
int network_drop_connection(const struct dump *d, int fd);

/* --- restore --- */

/* At load: the connection will be restored. */
void network_restore_add(const struct restore *r, const InetSkEntry *entry);
/* Before the first socket of a connection exists; later calls do nothing. */
int network_restore_lock(struct restore *r);
/* All sockets are there, in repair mode: removes the rules, those that the dump left as well. */
int network_restore_unlock(struct restore *r);
/*
 * Takes away the lock that lasts until the restore of these images, in the namespace of a process (proc: its directory)
 * or, for -1, in ours: 1, or 0 if there was none.
 */
struct store;
int network_undo(struct store *store, const struct inventory *inventory, int proc);
void network_restore_end(struct restore *r);
