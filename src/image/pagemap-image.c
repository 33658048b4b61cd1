/* SPDX-License-Identifier: GPL-2.0-only */
/* Pagemap images in both directions; old forms of entries are known only here. */
#include "image/pagemap-image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/pool.h"
#include "base/vector.h"

#include "image/record.h"
#include "pagemap.pb-c.h"

/* Asked once: a pagemap can have a million entries. */
static uint64_t page_size(void)
{
	static uint64_t size;

	if (!size)
		size = (uint64_t)sysconf(_SC_PAGESIZE);
	return size;
}

void pagemap_done(struct pagemap *pagemap)
{
	free(pagemap->ranges);
	*pagemap = (struct pagemap){ 0 };
}

static uint32_t flags_of(const PagemapEntry *entry)
{
	if (entry->has_pages_id)
		return (entry->has_flags ? entry->flags : 0) | PE_ELSEWHERE;
	if (entry->has_in_parent && entry->in_parent)
		return PE_PARENT;
	return entry->has_flags ? entry->flags : PE_PRESENT;
}

/* Pages that are kept with those of another task. */
static int check_elsewhere(struct image *image, const struct page_range *range)
{
	if (range->flags & (PE_PARENT | PE_PRESENT))
		return image_refuse(image, "the range at %#" PRIx64 " is in several places", range->start);
	if (range->there % page_size() || range->there > INT64_MAX - range->nr_pages * page_size())
		return image_refuse(image, "the range at %#" PRIx64 " is at offset %#" PRIx64 " of other pages",
				    range->start, range->there);
	return 0;
}

/* Brings one entry to today's form; `end` is where the range before it ends, `offset` where its pages are. */
static int parse_entry(struct image *image, const PagemapEntry *entry, uint64_t end, uint64_t offset,
		       struct page_range *ret)
{
	uint64_t size = page_size();

	*ret = (struct page_range){
		.start = entry->vaddr,
		.nr_pages = entry->has_nr_pages ? entry->nr_pages : entry->compat_nr_pages,
		.flags = flags_of(entry),
		.offset = offset,
		.there_id = entry->pages_id,
		.there = entry->pages_offset,
	};
	if (ret->start % size)
		return image_refuse(image, "the address %#" PRIx64 " is not at a page boundary", ret->start);
	if (!ret->nr_pages)
		return image_refuse(image, "a range of no pages at %#" PRIx64, ret->start);
	if (ret->nr_pages > (UINT64_MAX - ret->start) / size || ret->nr_pages > (INT64_MAX - offset) / size)
		return image_refuse(image, "the range of %" PRIu64 " pages at %#" PRIx64 " is too long", ret->nr_pages,
				    ret->start);
	if (ret->start < end)
		return image_refuse(image,
				    "the range at %#" PRIx64 " begins before the end of the one before it, %#" PRIx64,
				    ret->start, end);
	if (ret->flags & ~(PE_PARENT | PE_LAZY | PE_PRESENT | PE_ELSEWHERE))
		return image_refuse(image, "unknown flags %#x", ret->flags);
	if ((ret->flags & PE_PARENT) && (ret->flags & PE_PRESENT))
		return image_refuse(image, "the range at %#" PRIx64 " is both here and in the parent images",
				    ret->start);
	return ret->flags & PE_ELSEWHERE ? check_elsewhere(image, ret) : 0;
}

/* --- entries as all of today are, packed by hand: the library takes five times as long for each --- */

#define VARINT_MAX 10
/* The first byte of a number in a message: the field, and that it is a number. */
#define VARINT_TAG(field) ((field) << 3)

enum { TAG_VADDR = VARINT_TAG(1), TAG_COMPAT = VARINT_TAG(2), TAG_FLAGS = VARINT_TAG(4), TAG_PAGES = VARINT_TAG(5) };

static bool scan_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
	unsigned shift = 0;

	for (*ret = 0; *at < end && shift < 63; shift += 7) {
		const uint8_t byte = *(*at)++;

		*ret |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false; /* cut off, or so large that it is left to the library */
}

/* False: it has other members, or makes no sense. */
static bool take_entry(void *arg, const uint8_t *packed, size_t size)
{
	const uint8_t *end = packed + size;
	PagemapEntry *entry = arg;
	bool has_start = false, has_compat = false;
	uint64_t value;

	*entry = (PagemapEntry)PAGEMAP_ENTRY__INIT;
	while (packed < end) {
		const uint8_t tag = *packed++;

		if (!scan_varint(&packed, end, &value) || (tag != TAG_VADDR && tag != TAG_PAGES && value > UINT32_MAX))
			return false;
		switch (tag) {
		case TAG_VADDR:
			entry->vaddr = value;
			has_start = true;
			break;
		case TAG_COMPAT:
			entry->compat_nr_pages = (uint32_t)value;
			has_compat = true;
			break;
		case TAG_FLAGS:
			entry->flags = (uint32_t)value;
			entry->has_flags = true;
			break;
		case TAG_PAGES:
			entry->nr_pages = value;
			entry->has_nr_pages = true;
			break;
		default:
			return false;
		}
	}
	return has_start && has_compat;
}

static uint8_t *put_number(uint8_t *to, uint8_t tag, uint64_t value)
{
	*to++ = tag;
	for (; value >= 0x80; value >>= 7)
		*to++ = (uint8_t)(value | 0x80);
	*to++ = (uint8_t)value;
	return to;
}

static int write_plain(struct image *image, const struct page_range *range)
{
	uint8_t packed[4 * (1 + VARINT_MAX)], *end = packed;

	end = put_number(end, TAG_VADDR, range->start);
	end = put_number(end, TAG_COMPAT, 0);
	end = put_number(end, TAG_FLAGS, range->flags);
	end = put_number(end, TAG_PAGES, range->nr_pages);
	return image_write_packed(image, packed, (size_t)(end - packed));
}

static int read_entries(struct image *image, struct pagemap *ret)
{
	VECTOR(struct page_range) ranges = { 0 };
	PagemapEntry plain, *entry = NULL;
	uint64_t end = 0;
	int more;

	while ((more = image_read_packed(image, take_entry, &plain, &entry)) > 0) {
		const bool is_plain = more == 2;
		struct page_range *range = vector_push(&ranges);

		more = parse_entry(image, is_plain ? &plain : entry, end, ret->pages_size, range);
		if (!is_plain)
			pagemap_entry__free_unpacked(entry, NULL);
		if (more < 0)
			break;
		end = range->start + range->nr_pages * page_size();
		if (range->flags & PE_PRESENT)
			ret->pages_size += range->nr_pages * page_size();
	}
	ret->ranges = ranges.items;
	ret->n = ranges.n;
	return more;
}

int pagemap_read(struct store *store, enum image_id id, uint64_t number, struct pagemap *ret)
{
	AUTO(image_close) struct image *image = NULL;
	AUTO(pagemap_done) struct pagemap pagemap = { 0 };
	PagemapHead *head;
	int more;

	TRY(image_open(store, &image, id, number));
	more = image_read(image, &head);
	TRY(more);
	if (!more)
		return refuse(EINVAL, "%s: damaged: has no head record", image_get_name(image));
	pagemap.pages_id = head->pages_id;
	TRY(read_entries(image, &pagemap));
	*ret = pagemap;
	pagemap = (struct pagemap){ 0 };
	return 0;
}

const struct page_range *pagemap_find(const struct pagemap *pagemap, uint64_t address)
{
	size_t low = 0, high = pagemap->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct page_range *range = &pagemap->ranges[middle];

		if (range->start + range->nr_pages * page_size() > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low < pagemap->n ? &pagemap->ranges[low] : NULL;
}

struct pagemap_writer {
	struct image *image;
	struct page_range last; /* not yet written, nr_pages 0: none */
	uint64_t offset;	/* in the pages file, behind all ranges */
};

void pagemap_abandon(struct pagemap_writer **writer)
{
	if (!*writer)
		return;
	image_close(&(*writer)->image);
	free(*writer);
	*writer = NULL;
}

int pagemap_create(struct store *store, enum image_id id, uint64_t number, uint32_t pages_id,
		   struct pagemap_writer **ret)
{
	AUTO(pagemap_abandon) struct pagemap_writer *writer = xzalloc(sizeof(*writer));
	PagemapHead head = PAGEMAP_HEAD__INIT;

	TRY(image_create(store, &writer->image, id, number));
	head.pages_id = pages_id;
	TRY(image_write(writer->image, &head));
	*ret = TAKE_PTR(writer);
	return 0;
}

static int write_last(struct pagemap_writer *writer)
{
	PagemapEntry entry = PAGEMAP_ENTRY__INIT;

	if (!writer->last.nr_pages)
		return 0;
	if (!(writer->last.flags & PE_ELSEWHERE))
		return write_plain(writer->image, &writer->last);
	entry.vaddr = writer->last.start;
	entry.has_flags = entry.has_nr_pages = true;
	entry.flags = writer->last.flags & ~(uint32_t)PE_ELSEWHERE;
	entry.has_pages_id = entry.has_pages_offset = true;
	entry.pages_id = writer->last.there_id;
	entry.pages_offset = writer->last.there;
	entry.nr_pages = writer->last.nr_pages;
	return image_write(writer->image, &entry);
}

/* Does it begin where the last one ends, and is its data behind that of the last one? */
static bool continues_last(const struct page_range *last, const struct page_range *range)
{
	const uint64_t size = last->nr_pages * page_size();

	if (!last->nr_pages || range->start != last->start + size || range->flags != last->flags)
		return false;
	return !(range->flags & PE_ELSEWHERE) ||
	       (range->there_id == last->there_id && range->there == last->there + size);
}

int pagemap_append_range(struct pagemap_writer *writer, const struct page_range *range)
{
	struct page_range *last = &writer->last;
	uint64_t end = last->start + last->nr_pages * page_size();

	if (range->start < end || !range->nr_pages || range->start % page_size())
		return refuse(EINVAL, "%s: a range of %" PRIu64 " pages at %#" PRIx64 " cannot come after %#" PRIx64,
			      image_get_name(writer->image), range->nr_pages, range->start, end);
	if (continues_last(last, range)) {
		last->nr_pages += range->nr_pages;
	} else {
		TRY(write_last(writer));
		*last = *range;
	}
	if (range->flags & PE_PRESENT)
		writer->offset += range->nr_pages * page_size();
	return 0;
}

int pagemap_append(struct pagemap_writer *writer, uint64_t start, uint64_t nr_pages, uint32_t flags,
		   uint64_t *ret_offset)
{
	const struct page_range range = { .start = start, .nr_pages = nr_pages, .flags = flags };

	if (ret_offset)
		*ret_offset = writer->offset;
	return pagemap_append_range(writer, &range);
}

int pagemap_finish(struct pagemap_writer **writer)
{
	int error = write_last(*writer);

	if (error >= 0)
		error = image_finish(&(*writer)->image);
	pagemap_abandon(writer);
	return error;
}
