/* SPDX-License-Identifier: GPL-2.0-only */
/* Time namespaces (time_namespaces(7)). */
#pragma once

struct dump;

/* Dump: the clocks of the host, for a tree that has no others. */
int time_dump_host(struct dump *d);
