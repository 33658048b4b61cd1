/* SPDX-License-Identifier: GPL-2.0-only */
/* Streams to systemd-journald: standard output and error of services. */
#pragma once

struct dump;
struct unix_diag;
struct unix_dumped;

/*
 * What journald must be told first on a new connection, in the pool of the dump: under which name, with which priority.
 * NULL: the peer is another program.
 */
const char *unix_journal_greeting(const struct dump *d, const struct unix_dumped *socket, const struct unix_diag *peer);
