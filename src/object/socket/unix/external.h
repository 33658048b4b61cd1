/* SPDX-License-Identifier: GPL-2.0-only */
/* Unix sockets whose peer is a process outside of the tree. */
#pragma once

#include <stdint.h>

struct dump;
struct unix_diag;
struct unix_dumped;

/* The peer is not in the tree. Makes an entry for it where the options allow that, else refuses. */
int unix_dump_external(const struct dump *d, const struct unix_dumped *socket, const struct unix_diag *peer);
/* At write: those that plugins may want. */
int unix_dump_ask(struct dump *d);
/* A connection of an outsider waits in the backlog of a listener of the tree. Allowed by the options,
 * or refused. */
int unix_check_waiting(const struct dump *d, const struct unix_dumped *listener, uint32_t client);
