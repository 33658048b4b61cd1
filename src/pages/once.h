/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that several processes share are saved with the first of them; the others name the place. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pages/mover.h"
#include "pages/save.h"

struct page_once;
struct store;

/* The store reads what the dump has written so far; both stay the caller's. */
struct page_once *page_once_create(struct page_mover *mover, struct store *written);
void page_once_destroy(struct page_once **once); /* accepts NULL */

/*
 * Before ranges of a process go to pages image `pages_id`, which is the next one: pages that are saved already become
 * PE_ELSEWHERE, those that others may have too are remembered. proc: its /proc/PID. The kernel tells which pages are
 * the same; as it may move them, they are compared with what the image has.
 */
int page_once_leave(struct page_once *once, int proc, const struct page_source *source, uint32_t pages_id,
		    page_range_list *ranges);
/* The kernel does not tell (that takes CAP_SYS_ADMIN): some pages that are shared are saved with each. */
bool page_once_is_blind(const struct page_once *once);
