/* SPDX-License-Identifier: LGPL-2.1-only */
/* A pool of threads that share out the items of a job. */
#pragma once

#include <stddef.h>

struct workers;

/* n = 0: one for each CPU that this process may use, the calling thread included. */
struct workers *workers_create(unsigned n);
void workers_destroy(struct workers **workers);
unsigned workers_count(const struct workers *workers);

/*
 * Calls run(arg, item, worker) for each item in [0, n_items) on all workers and the calling thread, in rising order of
 * items. worker is in [0, workers_count): use it to index per-worker buffers. After the first failure no further items
 * start. Returns 0 or the first failure. run() may fail(); scopes of the caller are shown.
 */
int workers_run(struct workers *workers, size_t n_items, int (*run)(void *arg, size_t item, unsigned worker),
		void *arg);
