/* SPDX-License-Identifier: GPL-2.0-only */
/* What bounds the processes of an ordinary client besides its ids. */
#pragma once

#include <sys/types.h>

struct connection;

/* Both read what the pidfd's process has, as root. -errno after it was logged, also if it has ended. */
int client_find_confinement(struct connection *connection, int pidfd);
int client_take_bounds(pid_t pid, int pidfd);
