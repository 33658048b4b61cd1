/* SPDX-License-Identifier: GPL-2.0-only */
/* Address spaces that wait for pages: where they are wanted, and how they get there. */
#include "pages/lazy/lazy-space.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/urgent.h"
#include "pages/mover.h"

/* Linux 6.6 */
#ifndef UFFDIO_POISON
struct uffdio_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};
#define UFFDIO_POISON _IOWR(UFFDIO, 0x08, struct uffdio_poison)
#endif

/* As far a task that has waited is expected to go on. */
#define AHEAD (1u << 20)
/* So many ranges may be done and in the list, or half of it: to take each out at once takes a time that grows with its
 * square. */
#define MOST_DONE 64

static struct lazy_space *create_space(struct lazy_source *source, int uffd, int pidfd)
{
	struct lazy_space *space = xzalloc(sizeof(*space));

	space->source = source;
	space->uffd = uffd;
	space->pidfd = pidfd;
	urgent_lock_init(&space->lock);
	list_push(&source->spaces, &space->link);
	return space;
}

struct lazy_source *lazy_source_create(uint64_t pid, struct page_reader *reader, int uffd, int pidfd)
{
	struct lazy_source *source = xzalloc(sizeof(*source));
	struct lazy_space *space;

	source->pid = pid;
	source->reader = reader;
	list_init(&source->spaces);
	space = create_space(source, uffd, pidfd);
	for (size_t i = 0; i < reader->n; i++) {
		const struct stored_range *range = &reader->ranges[i];

		*vector_push(&space->wanted) = (struct lazy_range){
			.start = range->start,
			.size = range->size,
			.origin = range->start,
			.level = range->level,
			.remote = !range->file,
		};
		if (range->level > space->last_level)
			space->last_level = range->level;
	}
	return source;
}

void lazy_source_destroy(struct lazy_source *source)
{
	while (!list_empty(&source->spaces)) {
		struct lazy_space *space = list_entry(source->spaces.next, struct lazy_space, link);

		list_remove(&space->link);
		if (space->uffd >= 0)
			close(space->uffd);
		if (space->pidfd >= 0)
			close(space->pidfd);
		pthread_mutex_destroy(&space->lock);
		vector_done(&space->wanted);
		free(space);
	}
	page_reader_close(&source->reader);
	free(source);
}

struct lazy_space *lazy_space_fork(const struct lazy_space *parent, int uffd)
{
	struct lazy_space *space = create_space(parent->source, uffd, -1);

	for (size_t i = 0; i < parent->wanted.n; i++)
		if (!parent->wanted.items[i].done)
			*vector_push(&space->wanted) = parent->wanted.items[i];
	space->last_level = parent->last_level;
	space->moved = parent->moved;
	return space;
}

/* --- the list; all with the lock --- */

/* The first range that is not done and ends behind the address. */
static size_t find_index(const struct lazy_space *space, uint64_t address)
{
	size_t low = 0, high = space->wanted.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct lazy_range *range = &space->wanted.items[middle];

		if (range->start + range->size > address)
			high = middle;
		else
			low = middle + 1;
	}
	while (low < space->wanted.n && space->wanted.items[low].done)
		low++;
	return low;
}

static void insert_range(struct lazy_space *space, size_t at, const struct lazy_range *range)
{
	(void)vector_push(&space->wanted);
	memmove(&space->wanted.items[at + 1], &space->wanted.items[at], (space->wanted.n - 1 - at) * sizeof(*range));
	space->wanted.items[at] = *range;
}

static void drop_done(struct lazy_space *space)
{
	size_t left = 0;

	for (size_t i = 0; i < space->wanted.n; i++)
		if (!space->wanted.items[i].done)
			space->wanted.items[left++] = space->wanted.items[i];
	space->wanted.n = left;
	space->n_done = 0;
}

/* Makes a border between ranges at the address. */
static void split_range(struct lazy_space *space, uint64_t address)
{
	size_t i = find_index(space, address);
	struct lazy_range *range = &space->wanted.items[i], rest;
	uint64_t skip;

	if (i == space->wanted.n || range->start >= address)
		return;
	skip = address - range->start;
	rest = *range;
	rest.start += skip;
	rest.origin += skip;
	rest.size -= skip;
	range->size = skip;
	insert_range(space, i + 1, &rest);
}

static void remove_span(struct lazy_space *space, uint64_t start, uint64_t end)
{
	split_range(space, start);
	split_range(space, end);
	for (size_t i = find_index(space, start); i < space->wanted.n && space->wanted.items[i].start < end; i++) {
		space->n_done += !space->wanted.items[i].done;
		space->wanted.items[i].done = true;
	}
	if (space->n_done > MOST_DONE && space->n_done > space->wanted.n / 2)
		drop_done(space);
}

/* --- */

void lazy_space_forget(struct lazy_space *space, uint64_t start, uint64_t end)
{
	pthread_mutex_lock(&space->lock);
	remove_span(space, start, end);
	pthread_mutex_unlock(&space->lock);
}

void lazy_space_move(struct lazy_space *space, uint64_t from, uint64_t to, uint64_t size)
{
	VECTOR(struct lazy_range) moved = { 0 };

	pthread_mutex_lock(&space->lock);
	split_range(space, from);
	split_range(space, from + size);
	for (size_t i = find_index(space, from); i < space->wanted.n && space->wanted.items[i].start < from + size; i++)
		if (!space->wanted.items[i].done)
			*vector_push(&moved) = space->wanted.items[i];
	remove_span(space, from, from + size);
	remove_span(space, to, to + size);
	drop_done(space); /* some may lie where others come to lie now */
	for (size_t i = 0; i < moved.n; i++) {
		moved.items[i].start += to - from;
		insert_range(space, find_index(space, moved.items[i].start), &moved.items[i]);
	}
	space->moved = true;
	memset(space->cursors, 0, sizeof(space->cursors));
	pthread_mutex_unlock(&space->lock);
	vector_done(&moved);
}

bool lazy_space_find(struct lazy_space *space, uint64_t address, struct lazy_range *ret)
{
	bool found;
	size_t i;

	pthread_mutex_lock(&space->lock);
	i = find_index(space, address);
	found = i < space->wanted.n && space->wanted.items[i].start <= address;
	if (found) {
		uint64_t skip = address - space->wanted.items[i].start;

		*ret = space->wanted.items[i];
		ret->start += skip;
		ret->origin += skip;
		ret->size -= skip;
	}
	pthread_mutex_unlock(&space->lock);
	return found;
}

/* Somebody fetches the beginning of this range now. */
static void claim_index(struct lazy_space *space, size_t i, uint64_t size, struct lazy_range *ret)
{
	if (space->wanted.items[i].size > size)
		split_range(space, space->wanted.items[i].start + size);
	space->wanted.items[i].busy = true;
	*ret = space->wanted.items[i];
}

static bool is_free(const struct lazy_range *range, bool remote)
{
	return !range->done && !range->busy && range->remote == remote;
}

bool lazy_space_claim(struct lazy_space *space, bool remote, uint64_t address, uint64_t size, struct lazy_range *ret)
{
	size_t i;
	bool found;

	pthread_mutex_lock(&space->lock);
	split_range(space, address);
	i = find_index(space, address);
	found = i < space->wanted.n && space->wanted.items[i].start == address &&
		is_free(&space->wanted.items[i], remote);
	if (found)
		claim_index(space, i, size, ret);
	pthread_mutex_unlock(&space->lock);
	return found;
}

void lazy_space_look_ahead(struct lazy_space *space, uint64_t address)
{
	pthread_mutex_lock(&space->lock);
	space->ahead.at = address;
	space->ahead.size = AHEAD;
	pthread_mutex_unlock(&space->lock);
}

bool lazy_space_claim_ahead(struct lazy_space *space, bool remote, uint64_t size, struct lazy_range *ret)
{
	uint64_t end;
	size_t i;
	bool found;

	pthread_mutex_lock(&space->lock);
	end = space->ahead.at + space->ahead.size;
	split_range(space, space->ahead.at);
	i = find_index(space, space->ahead.at);
	while (i < space->wanted.n && space->wanted.items[i].start < end && !is_free(&space->wanted.items[i], remote))
		i++;
	found = i < space->wanted.n && space->wanted.items[i].start < end;
	if (found) {
		claim_index(space, i, size, ret);
		space->ahead.at = ret->start + ret->size;
	}
	space->ahead.size = found && space->ahead.at < end ? end - space->ahead.at : 0;
	pthread_mutex_unlock(&space->lock);
	return found;
}

/* The first one from the cursor on that is as old as it; cursors go through the list once for each level. */
static size_t find_next(const struct lazy_space *space, bool remote, const struct lazy_cursor *cursor)
{
	size_t i = find_index(space, cursor->at);

	while (i < space->wanted.n &&
	       !(is_free(&space->wanted.items[i], remote) && space->wanted.items[i].level == cursor->level))
		i++;
	return i;
}

bool lazy_space_claim_any(struct lazy_space *space, bool remote, uint64_t size, struct lazy_range *ret)
{
	struct lazy_cursor *cursor = &space->cursors[remote];
	size_t i;
	bool found;

	pthread_mutex_lock(&space->lock);
	while ((i = find_next(space, remote, cursor)) == space->wanted.n && cursor->level <= space->last_level)
		*cursor = (struct lazy_cursor){ .level = cursor->level + 1 };
	found = i < space->wanted.n;
	if (found) {
		claim_index(space, i, size, ret);
		cursor->at = ret->start + ret->size;
	}
	pthread_mutex_unlock(&space->lock);
	return found;
}

bool lazy_space_wants_any(struct lazy_space *space)
{
	bool any;

	pthread_mutex_lock(&space->lock);
	any = space->wanted.n > space->n_done;
	pthread_mutex_unlock(&space->lock);
	return any;
}

typedef VECTOR(struct lazy_range) range_list;

/* Where pages of the images [origin, origin + size) are wanted, as ranges that have nothing else. */
static void collect_ranges(struct lazy_space *space, uint64_t origin, uint64_t size, range_list *ret)
{
	pthread_mutex_lock(&space->lock);
	for (size_t i = space->moved ? 0 : find_index(space, origin); i < space->wanted.n; i++) {
		struct lazy_range range = space->wanted.items[i];
		uint64_t skip = range.origin < origin ? origin - range.origin : 0;

		if (!space->moved && range.start >= origin + size)
			break;
		if (range.done || skip >= range.size || range.origin >= origin + size)
			continue;
		range.start += skip;
		range.origin += skip;
		range.size -= skip;
		if (range.size > origin + size - range.origin)
			range.size = origin + size - range.origin;
		*vector_push(ret) = range;
	}
	pthread_mutex_unlock(&space->lock);
}

/* --- placing pages --- */

static void wake_faults(const struct lazy_space *space, uint64_t start, uint64_t size)
{
	struct uffdio_range range = { start, size };

	(void)ioctl(space->uffd, UFFDIO_WAKE, &range);
}

/* What an ioctl says that did not place a page: 0 = pass over this page. */
static int judge_error(struct lazy_space *space, int error, uint64_t start)
{
	switch (error) {
	case EAGAIN:
		return -EAGAIN;
	case EEXIST: /* somebody was faster, and perhaps woke nobody who came later */
		wake_faults(space, start, page_size());
		return 0;
	case ENOENT: /* not registered any more, or never: not ours to fill */
	case EINVAL:
		return 0;
	case ESRCH:
		space->gone = true;
		return 0;
	default:
		return fail(error, "process %" PRIu64 ": a page cannot be placed at %#" PRIx64, space->source->pid,
			    start);
	}
}

/* All pages of the range that can be placed. A call must stay inside of one area: where it does not, halves are tried.
 */
static int place_pages(struct lazy_space *space, uint64_t start, const char *data, uint64_t size)
{
	uint64_t range = size;

	while (size && !space->gone) {
		struct uffdio_copy copy = { .dst = start, .src = (uintptr_t)data, .len = range < size ? range : size };
		uint64_t done;

		if (ioctl(space->uffd, UFFDIO_COPY, &copy) == 0) {
			done = copy.len;
		} else if (copy.copy > 0) {
			done = (uint64_t)copy.copy;
		} else if ((errno == ENOENT || errno == EINVAL) && copy.len > page_size()) {
			range = copy.len / 2 / page_size() * page_size();
			continue;
		} else {
			TRY(judge_error(space, errno, start));
			done = page_size();
		}
		start += done;
		data += done;
		size -= done;
	}
	return 0;
}

static int deliver_to(struct lazy_space *space, uint64_t origin, const char *data, uint64_t size)
{
	range_list ranges = { 0 };
	int result = 0;

	collect_ranges(space, origin, size, &ranges);
	for (size_t i = 0; i < ranges.n && result == 0; i++) {
		const struct lazy_range *range = &ranges.items[i];

		result = place_pages(space, range->start, data + (range->origin - origin), range->size);
		if (result == 0)
			lazy_space_forget(space, range->start, range->start + range->size);
	}
	vector_done(&ranges);
	if (space->gone)
		lazy_space_forget(space, 0, UINT64_MAX);
	return result;
}

int lazy_source_deliver(struct lazy_source *source, uint64_t origin, const void *data, uint64_t size)
{
	struct lazy_space *space;
	int result = 0;

	list_for_each(space, &source->spaces, link) {
		int one = space->gone ? 0 : deliver_to(space, origin, data, size);

		if (one < 0 && one != -EAGAIN)
			return one;
		result = result ?: one;
	}
	return result;
}

int lazy_space_zero(struct lazy_space *space, uint64_t address)
{
	struct uffdio_zeropage zero = { .range = { address, page_size() } };

	if (ioctl(space->uffd, UFFDIO_ZEROPAGE, &zero) == 0)
		return 0;
	return judge_error(space, zero.zeropage == -EAGAIN ? EAGAIN : errno, address);
}

void lazy_space_poison(struct lazy_space *space)
{
	for (size_t i = 0; i < space->wanted.n; i++) {
		const struct lazy_range *range = &space->wanted.items[i];
		struct uffdio_poison poison = { .range = { range->start, range->size } };

		if (!range->done)
			(void)ioctl(space->uffd, UFFDIO_POISON, &poison);
	}
}
