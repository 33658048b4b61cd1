/* SPDX-License-Identifier: GPL-2.0-only */
/* What waits unread in unix sockets. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sk-unix.pb-c.h"

struct dump;
struct open_file;
struct restore;
struct unix_socket;

/* What waits in a connection that we have accepted ourselves, for the client with this file id. */
int unix_dump_early_queue(struct dump *d, int fd, uint32_t id, uint32_t type);
/* All that waits to be read, without taking it out. */
int unix_dump_queue(struct dump *d, const struct open_file *of, const UnixSkEntry *entry);

int unix_load_queues(const struct restore *r);
int unix_use_queue(const struct restore *r, const struct unix_socket *socket); /* at link */
bool unix_has_queue(const struct restore *r, const struct unix_socket *socket);
/* Sends what waited in the socket through another that is connected to it. */
int unix_fill_queue(struct restore *r, const struct unix_socket *socket, int through);
