/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages of images for those who ask a page server for them. */
#include "pages/supply-images.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/pool.h"
#include "base/table.h"
#include "base/vector.h"
#include "pages/mover.h"
#include "pages/reader.h"
#include "pages/supply.h"

struct image_supply {
	struct page_supply supply;
	struct store *store;
	struct table *readers; /* pid → struct page_reader, those that were asked for */
	VECTOR(struct page_reader *) all;
};

static int find_reader(struct image_supply *supply, uint64_t pid, struct page_reader **ret)
{
	int result;

	*ret = table_find(supply->readers, pid);
	if (*ret)
		return 0;
	result = page_reader_open(supply->store, IMAGE_PAGEMAP, pid, ret);
	if (result == -ENOENT)
		return refuse(ENOENT, "the client asks for pages of process %" PRIu64 ", which is not in the images",
			      pid);
	TRY(result);
	table_set(supply->readers, pid, *ret);
	*vector_push(&supply->all) = *ret;
	return 0;
}

static const struct stored_range *find_range(const struct page_reader *reader, uint64_t start)
{
	size_t low = 0, high = reader->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct stored_range *range = &reader->ranges[middle];

		if (range->start + range->size <= start)
			low = middle + 1;
		else if (range->start > start)
			high = middle;
		else
			return range;
	}
	return NULL;
}

static int64_t read_images(struct page_supply *base, uint64_t pid, uint64_t start, uint64_t nr_pages, void *to)
{
	struct image_supply *supply = (struct image_supply *)base;
	const struct stored_range *range;
	struct page_reader *reader;
	uint64_t there;

	TRY(find_reader(supply, pid, &reader));
	range = find_range(reader, start);
	if (!range)
		return refuse(ENOENT,
			      "the client asks for the page at %#" PRIx64 " of process %" PRIu64
			      ", which is not in the images",
			      start, pid);
	there = (range->size - (start - range->start)) / page_size();
	if (nr_pages > there)
		nr_pages = there;
	TRY(pages_file_read(range->file, to, nr_pages * page_size(), range->offset + (start - range->start)));
	return (int64_t)nr_pages;
}

struct page_supply *page_supply_of_images(struct store *store)
{
	struct image_supply *supply = xzalloc(sizeof(*supply));

	supply->supply.read = read_images;
	supply->store = store;
	supply->readers = table_create();
	return &supply->supply;
}

void page_supply_of_images_destroy(struct page_supply **ref)
{
	struct image_supply *supply = (struct image_supply *)*ref;

	if (!supply)
		return;
	for (size_t i = 0; i < supply->all.n; i++)
		page_reader_close(&supply->all.items[i]);
	vector_done(&supply->all);
	table_destroy(&supply->readers);
	free(supply);
	*ref = NULL;
}
