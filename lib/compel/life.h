/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A word in memory shared with another process that tells when the thread that holds it has died: a robust futex, which
 * the kernel then marks with FUTEX_OWNER_DIED (get_robust_list(2)). It lies in the last bytes of that memory; the list
 * by which the kernel finds it lies in a page of ours behind them, where nobody else can change it.
 *
 * As long as a thread holds one, the kernel does not see robust mutexes of its C library.
 */
#pragma once

#include "base/page.h"

#define LIFE_SIZE 64	      /* bytes of the shared memory */
#define LIFE_PAGE page_size() /* bytes of ours behind it, zeroed */

/* end: of the shared memory. 0 or -errno, not logged. */
int life_hold(char *end);
/* By the same thread. */
void life_release(char *end);
