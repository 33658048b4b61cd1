/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP connections that have ended: both sides have said good-bye, or the other one has reset it. */
#pragma once

#include <stdbool.h>

#include "sk-inet.pb-c.h"

struct dump;
struct inet_socket;
struct restore;

/* Its socket still knows both names. */
bool tcp_is_ended(const InetSkEntry *entry);
/* What the program has not read yet goes into the record. */
int tcp_save_rest(struct dump *d, int fd, InetSkEntry *entry);
/* fd is a new socket with its early options. -EAGAIN: to be tried again with another one, without names. */
int tcp_restore_ended(struct restore *r, struct inet_socket *socket, int fd);
