/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * While somebody stands still until we are done, we must not wait for other programs: the thread that is waited for
 * runs before all ordinary ones (SCHED_RR, sched(7)), if it may. Not where the caller was made to be nice, and what it
 * forks is ordinary again. On a busy machine tasks stand still several times as long without it.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

/* From now on: the calling thread, which is always the same one, and those that help it. */
void urgent_begin(void);
void urgent_end(void);
/* Not while something long is done: other programs have to run. What it returns is for urgent_resume(). */
bool urgent_pause(void);
void urgent_resume(bool paused);
/* Never in this process. */
void urgent_forbid(void);

/* A thread that helps: when it begins and before it ends. */
void urgent_help(void);
void urgent_leave(void);

/* Whoever holds the lock runs as urgently as the most urgent thread that waits for it (futex(2), FUTEX_LOCK_PI). */
void urgent_lock_init(pthread_mutex_t *lock);
