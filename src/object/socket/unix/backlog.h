/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections that wait for accept(2), dump. */
#pragma once

struct dump;
struct unix_dumped;

/* At drain keeps a copy of a listener whose backlog is not empty. */
int unix_hold_listener(struct unix_dumped *dumped, int fd);
/* At finish: records of all that wait for accept(2). What was sent already is read by unix_dump_take(), when the
 * tasks are about to die. */
int unix_dump_backlog(const struct dump *d, const struct unix_dumped *listener);
int unix_dump_take(struct dump *d);
