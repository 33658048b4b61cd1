/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A task that waits for a page stands still until the main thread of the daemon has served it: that must not wait for
 * other programs, nor for a thread of ours that other programs keep from running while it holds a lock.
 */
#pragma once

#include <pthread.h>

/* This thread runs before all ordinary ones (sched(7)), if it may. Those that it makes do not. */
void urgent_begin(void);
/* Whoever holds the lock runs as urgently as the most urgent thread that waits for it (futex(2), FUTEX_LOCK_PI). */
void urgent_lock_init(pthread_mutex_t *lock);
