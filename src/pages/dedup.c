/* SPDX-License-Identifier: GPL-2.0-only */
/* Freeing pages in images of which nobody will need them there. */
#include "pages/dedup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "image/blocks/store-blocks.h"
#include "image/pagemap-image.h"
#include "image/store.h"
#include "image/table.h"
#include "pages/mover.h"
#include "pages/reader.h"

struct freeing {
	struct store *store;
	uint64_t size; /* freed so far */
};

static int punch_hole(int fd, const char *name, uint64_t offset, uint64_t size)
{
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size) == 0)
		return 0;
	if (errno == EOPNOTSUPP)
		return refuse(EOPNOTSUPP,
			      "%s: its file system cannot free parts of files: --auto-dedup and criu dedup are of no "
			      "use there",
			      name);
	return fail_errno("freeing %lu bytes of %s", (unsigned long)size, name);
}

/* Pages that are compressed have no place of their own in the file. */
static int refuse_blocks(struct store *store, uint32_t pages_id)
{
	AUTO(image_close) struct image *image = NULL;

	TRY(image_open(store, &image, IMAGE_PAGES, pages_id));
	return image_get_blocks(image) ? refuse(EOPNOTSUPP,
						"%s is compressed or encrypted: --auto-dedup and criu dedup cannot "
						"free parts of it",
						image_get_name(image))
				       : 0;
}

/* The pages image of a pagemap, for writing. */
static int open_pages(struct store *store, const struct pagemap *map, char *name, size_t capacity)
{
	int fd;

	image_print_name(IMAGE_PAGES, map->pages_id, name, capacity);
	TRY(refuse_blocks(store, map->pages_id));
	fd = openat(store_get_dir(store), name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? fail_errno("cannot open %s for writing", name) : fd;
}

static uint64_t end_of(const struct page_range *range)
{
	return range->start + range->nr_pages * page_size();
}

/* Both maps are sorted: one walk. */
static int free_common(struct freeing *freeing, const struct pagemap *own, struct store *parent,
		       const struct pagemap *map)
{
	AUTO_CLOSE int fd = -1;
	char name[64];

	for (size_t i = 0, j = 0; i < own->n && j < map->n;) {
		const struct page_range *mine = &own->ranges[i], *theirs = &map->ranges[j];
		uint64_t start = mine->start > theirs->start ? mine->start : theirs->start;
		uint64_t end = end_of(mine) < end_of(theirs) ? end_of(mine) : end_of(theirs);

		if (start < end && mine->flags & (PE_PRESENT | PE_ELSEWHERE) && theirs->flags & PE_PRESENT) {
			if (fd < 0)
				fd = open_pages(parent, map, name, sizeof(name));
			TRY(fd);
			TRY(punch_hole(fd, name, theirs->offset + (start - theirs->start), end - start));
			freeing->size += end - start;
		}
		if (end_of(mine) <= end_of(theirs))
			i++;
		else
			j++;
	}
	return 0;
}

/* A parent that has no such pagemap ends the chain of this object. */
static int free_object(struct freeing *freeing, enum image_id id, uint64_t number)
{
	AUTO(pagemap_done) struct pagemap own = { 0 };
	struct store *store = freeing->store;

	TRY(pagemap_read(store, id, number, &own));
	for (;;) {
		AUTO(pagemap_done) struct pagemap map = { 0 };
		struct store *parent;
		int result = store_get_parent(store, &parent);

		if (result == 0)
			result = pagemap_read(parent, id, number, &map);
		if (result == -ENOENT)
			return 0;
		TRY(result);
		TRY(free_common(freeing, &own, parent, &map));
		store = parent;
	}
}

static bool is_pagemap(const char *name, enum image_id *ret_id, uint64_t *ret_number)
{
	return image_parse_name(name, ret_id, ret_number) == 0 &&
	       (*ret_id == IMAGE_PAGEMAP || *ret_id == IMAGE_PAGEMAP_SHMEM);
}

/* Pages that others name as theirs, too, may be needed still. */
static int refuse_named_by_others(void *arg, const char *name)
{
	AUTO(pagemap_done) struct pagemap map = { 0 };
	enum image_id id;
	uint64_t number;

	if (!is_pagemap(name, &id, &number))
		return 0;
	TRY(pagemap_read(arg, id, number, &map));
	for (size_t i = 0; i < map.n; i++)
		if (map.ranges[i].flags & PE_ELSEWHERE)
			return refuse(EOPNOTSUPP,
				      "parent images were made with --equal-pages: --auto-dedup and criu dedup cannot "
				      "free pages that several tasks have (%s)",
				      name);
	return 0;
}

static int check_parents(struct store *store)
{
	struct store *parent;
	int result;

	while ((result = store_get_parent(store, &parent)) == 0) {
		TRY(store_list(parent, refuse_named_by_others, parent));
		store = parent;
	}
	return result == -ENOENT ? 0 : result;
}

static int visit_for_parents(void *arg, const char *name)
{
	enum image_id id;
	uint64_t number;

	return is_pagemap(name, &id, &number) ? free_object(arg, id, number) : 0;
}

int pages_free_in_parents(struct store *store, uint64_t *ret_size)
{
	struct freeing freeing = { .store = store };
	int result;

	TRY(check_parents(store));
	result = store_list(store, visit_for_parents, &freeing);
	*ret_size += freeing.size;
	return result;
}

/* --- after the last restore --- */

static int free_range(const struct stored_range *range, const struct pages_file **open_file, int *fd)
{
	char path[64];

	if (!range->file || range->file->blocks)
		return 0;
	if (*open_file != range->file) {
		if (*fd >= 0)
			close(*fd);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", range->file->fd);
		*fd = open(path, O_RDWR | O_CLOEXEC);
		if (*fd < 0)
			return fail_errno("cannot open %s for writing", range->file->name);
		*open_file = range->file;
	}
	return punch_hole(*fd, range->file->name, range->offset, range->size);
}

static int visit_for_all(void *arg, const char *name)
{
	AUTO(page_reader_close) struct page_reader *reader = NULL;
	const struct pages_file *open_file = NULL;
	AUTO_CLOSE int fd = -1;
	enum image_id id;
	uint64_t number;

	if (!is_pagemap(name, &id, &number))
		return 0;
	TRY(page_reader_open(arg, id, number, &reader));
	for (size_t i = 0; i < reader->n; i++)
		TRY(free_range(&reader->ranges[i], &open_file, &fd));
	return 0;
}

int pages_free_all(struct store *store)
{
	return store_list(store, visit_for_all, store);
}
