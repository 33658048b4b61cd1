/* SPDX-License-Identifier: GPL-2.0-only */
/* The first process of a pid namespace that criu makes for a restore: it reaps orphans, and its end is that of all. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* A mount namespace in which /proc shows the pids of this process. option: on whose behalf, for messages. */
int init_show_own_pids(const char *option);
/*
 * From now on this process is the init alone: all that it has is given up but the descriptor `keep`. detached: also the
 * standard ones.
 */
void init_become(bool detached, int keep);
/* Until the last task has ended. Returns what the root ended with. */
int init_reap_all(pid_t root);
/* The child of this process that is `inner` for it; 0: it has ended. */
pid_t init_find_child(pid_t parent, pid_t inner);
