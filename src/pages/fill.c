/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page content on its way in. Each block is read into a cache-sized buffer and placed from there. Placing from a
 * mapping of the image instead is as fast for big files only and makes this process as big as the image.
 */
#include "pages/fill.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "base/fail.h"
#include "base/interrupt.h"
#include "base/vector.h"
#include "pages/place.h"

/* Workers share out whole regions of this size; it is also what a huge page on most CPUs has. */
#define REGION (2u << 20)

/* The pieces [first, end) of one worker's turn, without the first `skip` bytes and cut off after `size` bytes. */
struct fill_item {
	size_t first;
	uint64_t skip, size;
};

struct fill {
	struct page_mover *mover;
	const struct page_target *target;
	const struct page_piece *pieces;
	VECTOR(struct fill_item) items;
	uint64_t size;
	atomic_ullong compared, equal;
};

static uint64_t smaller_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Cuts where an address is a multiple of REGION and enough has come together. */
static void make_items(struct fill *fill, size_t n)
{
	struct fill_item item = { 0 };

	for (size_t i = 0; i < n; i++) {
		const struct page_piece *piece = &fill->pieces[i];

		for (uint64_t at = 0; at < piece->size;) {
			uint64_t address = piece->start + at;
			uint64_t size = smaller_of(piece->size - at, REGION - address % REGION);
			bool new_region =
				at || i == 0 || address / REGION != (piece[-1].start + piece[-1].size - 1) / REGION;

			if (item.size >= REGION / 2 && new_region) {
				*vector_push(&fill->items) = item;
				item.size = 0;
			}
			if (item.size == 0)
				item = (struct fill_item){ .first = i, .skip = at };
			item.size += size;
			at += size;
		}
		fill->size += piece->size;
	}
	if (item.size)
		*vector_push(&fill->items) = item;
}

/* Reads the parts of a block, neighbours in the image in one call. Holes need no reading, but the buffer must be zero.
 */
static int read_parts(const struct page_part *parts, unsigned n)
{
	for (unsigned i = 0; i < n;) {
		const struct page_part *part = &parts[i];
		uint64_t size = part->size;

		for (i++; i < n && parts[i].file == part->file && parts[i].offset == part->offset + size; i++)
			size += parts[i].size;
		if (part->file->sparse) {
			off_t data = lseek(part->file->fd, (off_t)part->offset, SEEK_DATA);

			if ((data < 0 && errno == ENXIO) || (data >= 0 && (uint64_t)data >= part->offset + size)) {
				memset(part->data, 0, size);
				continue;
			}
		}
		TRY(pages_file_read(part->file, part->data, size, part->offset));
	}
	return 0;
}

static int fill_block(struct fill *fill, const struct page_part *parts, unsigned n)
{
	struct page_count count = { 0 };

	TRY(interrupt_check());
	TRY(read_parts(parts, n));
	TRY(pages_put(fill->target, parts, n, &count));
	if (count.compared) {
		atomic_fetch_add(&fill->compared, count.compared);
		atomic_fetch_add(&fill->equal, count.equal);
	}
	return 0;
}

static int fill_item(void *arg, size_t number, unsigned worker)
{
	struct fill *fill = arg;
	const struct fill_item *item = &fill->items.items[number];
	const struct page_piece *piece = &fill->pieces[item->first];
	char *buffer = page_mover_buffer(fill->mover, worker);
	struct page_part parts[PAGE_BLOCK_SIZE / PAGE_SIZE_MIN];
	uint64_t skip = item->skip, left = item->size, used = 0;
	unsigned n = 0;

	while (left) {
		uint64_t size = smaller_of(smaller_of(piece->size - skip, left), PAGE_BLOCK_SIZE - used);

		parts[n++] = (struct page_part){
			.address = piece->start + skip,
			.data = buffer + used,
			.size = size,
			.offset = piece->offset + skip,
			.file = piece->file,
			.how = piece->how,
		};
		used += size;
		left -= size;
		skip += size;
		if (skip == piece->size) {
			piece++;
			skip = 0;
		}
		if (used == PAGE_BLOCK_SIZE || left == 0) {
			TRY(fill_block(fill, parts, n));
			used = 0;
			n = 0;
		}
	}
	return 0;
}

/* What comes through a stream comes in the order of the pieces. */
static bool is_streamed(const struct page_piece *pieces, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pieces[i].file && pieces[i].file->pipe)
			return true;
	return false;
}

int pages_fill(struct page_mover *mover, const struct page_target *target, const struct page_piece *pieces, size_t n,
	       struct pages_filled *filled)
{
	struct fill fill = { .mover = mover, .target = target, .pieces = pieces };
	int result;

	make_items(&fill, n);
	/* Few bytes are moved by this thread alone. */
	result = page_mover_run(mover, is_streamed(pieces, n) ? 0 : fill.size, fill.items.n, fill_item, &fill);
	vector_done(&fill.items);
	if (filled)
		*filled = (struct pages_filled){ fill.compared, fill.equal };
	return result;
}
