/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of a program that an io_uring holds fast. The kernel uses it by its frames: a program that has unmapped it
 * since, or has other pages there, would after a restore find in its memory what goes elsewhere now. So it is looked
 * whether the frames are those that the process has at the address.
 */
#include "object/memory/uring/uring-frames.h"

#include <stddef.h>
#include <sys/mman.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/proc/maps.h"
#include "kern/proc/pagemap.h"
#include "object/memory/uring/uring-view.h"
#include "session/session.h"

#define WORDS	512
#define REGIONS 64

int uring_frames_compare(const struct page_tables *tables, uint64_t address, uint64_t frame, uint64_t n, bool *ret)
{
	uint64_t words[WORDS];

	*ret = true;
	for (uint64_t done = 0, now; *ret && done < n; done += now) {
		now = n - done < WORDS ? n - done : WORDS;
		TRY(pagemap_read_words(tables, address + done * tables->page_size, now, words));
		for (uint64_t i = 0; i < now; i++)
			if (!(words[i] & PAGEMAP_PRESENT) || (words[i] & PAGEMAP_PFN) != frame + done + i)
				*ret = false;
	}
	return 0;
}

static int has_all(struct uring_view *view, const struct page_tables *tables, uint64_t address, uint64_t pages,
		   uint64_t n, bool *ret)
{
	*ret = true;
	for (uint64_t i = 0; *ret && i < n; i++) {
		uint64_t page = 0, frame;

		uring_view_read(view, pages + i * sizeof(page), &page, sizeof(page));
		TRY(uring_view_frame(view, page, &frame));
		TRY(uring_frames_compare(tables, address + i * tables->page_size, frame, 1, ret));
	}
	return 0;
}

/* In a region all of whose pages are there. */
static int search_region(struct uring_view *view, const struct page_tables *tables, const struct page_region *region,
			 uint64_t frame, uint64_t pages, uint64_t n, uint64_t *ret)
{
	const uint64_t page = tables->page_size;
	uint64_t words[WORDS];
	bool found;

	for (uint64_t at = region->start, now; at < region->end; at += now * page) {
		now = (region->end - at) / page < WORDS ? (region->end - at) / page : WORDS;
		TRY(pagemap_read_words(tables, at, now, words));
		for (uint64_t i = 0; i < now; i++) {
			if ((words[i] & PAGEMAP_PFN) != frame)
				continue;
			TRY(has_all(view, tables, at + i * page, pages, n, &found));
			if (found) {
				*ret = at + i * page;
				return 0;
			}
		}
	}
	return 0;
}

static int search_mapping(struct uring_view *view, const struct page_tables *tables, const struct mapping *m,
			  uint64_t frame, uint64_t pages, uint64_t n, uint64_t *ret)
{
	const struct pagemap_filter filter = { .all = PAGE_IS_PRESENT };
	struct page_region regions[REGIONS];

	for (uint64_t at = m->start; at < m->end && !*ret;) {
		ssize_t found = pagemap_scan(tables, &at, m->end, &filter, regions, REGIONS);

		TRY(found);
		for (ssize_t i = 0; i < found && !*ret; i++)
			TRY(search_region(view, tables, &regions[i], frame, pages, n, ret));
	}
	return 0;
}

static int search_task(struct uring_view *view, const struct task *task, const struct mappings *mappings,
		       uint64_t pages, uint64_t n, uint64_t *ret)
{
	struct page_tables tables;
	uint64_t page = 0, frame;
	int error = 0;

	uring_view_read(view, pages, &page, sizeof(page));
	TRY(uring_view_frame(view, page, &frame));
	TRY(pagemap_open(&tables, task->dump->proc));
	for (size_t i = 0; i < mappings->n && !*ret && error == 0; i++)
		if (mappings->items[i].prot & PROT_WRITE)
			error = search_mapping(view, &tables, &mappings->items[i], frame, pages, n, ret);
	pagemap_close(&tables);
	if (error == 0 && view->error)
		return uring_view_give_up(view);
	return error;
}

int uring_frames_find(struct uring_view *view, const struct task *task, uint64_t pages, uint64_t n, uint64_t *ret)
{
	AUTO(mappings_done) struct mappings now = { 0 };

	*ret = 0;
	if (task->dump->mappings.n)
		return search_task(view, task, &task->dump->mappings, pages, n, ret);
	/* A survey asks for files first. */
	TRY(mappings_read_running(task->dump->proc, MAPPINGS_PLAIN, &now));
	return search_task(view, task, &now, pages, n, ret);
}

bool uring_frames_pin(const struct task *task, uint64_t address, uint64_t length)
{
	bool writable = true;

	for (size_t i = 0; i < task->dump->mappings.n; i++) {
		struct mapping *m = &task->dump->mappings.items[i];

		if (m->end <= address || m->start >= address + length)
			continue;
		m->pinned = true;
		writable &= !!(m->prot & PROT_WRITE);
	}
	return writable;
}
