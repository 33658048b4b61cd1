/* SPDX-License-Identifier: GPL-2.0-only */
/* Binding of internet sockets. */
#pragma once

#include <stdbool.h>

#include "sk-inet.pb-c.h"

struct dump;
struct inet_socket;
struct restore;

/* Dump: no device of the namespace that we are in has the address that it is bound to. */
bool inet_is_foreign(const struct dump *d, const InetSkEntry *entry);
/* Restore: gives it its own name. */
int inet_bind(struct restore *r, const struct inet_socket *socket, int fd);
/* -errno, not logged. */
int inet_try_bind(int fd, const InetSkEntry *entry);
int inet_bind_in_repair(int fd, const InetSkEntry *entry);
bool inet_has_waiting(const InetSkEntry *entry); /* connections without an owner on its port that restore would end */
/* Ends what is left of this connection and belongs to nobody; how many there were. -errno, not logged. */
int inet_end_remains(const InetSkEntry *entry);
/* After bind(2) failed: what is to be done. */
int inet_fail_bind(const InetSkEntry *entry, int error);
/*
 * An address is in use: ends what is in the way and needed by nobody, or waits for a moment for what may soon be gone.
 * Returns whether to try again.
 */
bool inet_make_room(struct restore *r, const InetSkEntry *entry, unsigned *waited_ms);
/*
 * Lets it be connected from an address that no device has, and that none had at the dump; what it was before goes to
 * inet_end_foreign(). Wants CAP_NET_ADMIN or CAP_NET_RAW, ip(7).
 */
int inet_begin_foreign(const InetSkEntry *entry, int fd, int *ret_before);
int inet_end_foreign(const InetSkEntry *entry, int fd, int before);
