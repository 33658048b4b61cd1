/* SPDX-License-Identifier: GPL-2.0-only */
/* Sockets of Multipath TCP: those without a connection stay what they are, one that has fallen back becomes TCP. */
#pragma once

#include <stdbool.h>

#include "sk-inet.pb-c.h"

struct dump;
struct libsoccr_sk_data;
struct open_file;

bool mptcp_is(int fd);
/* Looks only. Refuses what cannot be saved; of a connection it makes one of TCP, in the record. */
int mptcp_dump(const struct dump *d, const struct open_file *of, InetSkEntry *entry);
/* Reads a connection of which mptcp_dump() has made one of TCP, while the lock keeps packets away. What was received
 * and not read is in d's pool. */
int mptcp_save(struct dump *d, int fd, struct libsoccr_sk_data *data, char **ret_bytes);
/* Clients that wait in the backlog of this listener and speak Multipath TCP are refused. */
int mptcp_check_backlog(const struct dump *d, const InetSkEntry *listener);
