/* SPDX-License-Identifier: GPL-2.0-only */
/* Who carries pages: the workers of the session with a cache-sized buffer each, kept for the whole session. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/page.h"
#include "base/workers.h"

/* What is read and written at once. Stays in the second-level cache: the second copy of a page then costs little. */
#define PAGE_BLOCK_SIZE (512u << 10)
/* Less than this is moved by the calling thread alone: waking others takes longer. */
#define PAGE_SHARE_MIN (1u << 20)

struct meter;
struct page_mover;

/* workers and meter, which may be NULL, stay the caller's. */
struct page_mover *page_mover_create(struct workers *workers, struct meter *meter);
void page_mover_destroy(struct page_mover **mover);
/* The buffer of a worker: PAGE_BLOCK_SIZE bytes, page-aligned. */
void *page_mover_buffer(struct page_mover *mover, unsigned worker);
/* A worker has moved bytes, of which `sent` count for a limit: waits for it. A failure means an interruption. */
int page_mover_pass(struct page_mover *mover, uint64_t bytes, uint64_t sent);
/* workers_run(), or on the calling thread (as worker 0) if the whole job moves only few bytes. */
int page_mover_run(struct page_mover *mover, uint64_t bytes, size_t n_items,
		   int (*run)(void *arg, size_t item, unsigned worker), void *arg);

/* Is all of it zero? size is a multiple of 64. */
bool page_is_zero(const void *data, size_t size);
/*
 * How many bytes at the start, whole pages, are zero and so many that leaving them out is worth it (*ret_hole), or else
 * are to be written.
 */
size_t page_measure_run(const char *data, size_t size, bool *ret_hole);
