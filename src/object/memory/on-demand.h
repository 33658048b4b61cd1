/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore with --on-demand. */
#pragma once

#include <sys/types.h>

struct restore;

/*
 * --on-demand: starts the process that gives memory to the tasks and then ends, in place of a lazy-pages daemon: the
 * connection to it, and its pid.
 */
int memory_on_demand_start(const struct restore *r, int *ret_connection, pid_t *ret_server);
