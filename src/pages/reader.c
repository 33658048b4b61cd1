/* SPDX-License-Identifier: GPL-2.0-only */
/* Where in the images the pages of a process or of a shared memory object are, looked up through all parents. */
#include "pages/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "image/blocks/blocks-read.h"
#include "image/blocks/store-blocks.h"
#include "image/pipe/pipe-read.h"
#include "image/pipe/store-pipe.h"
#include "image/store.h"
#include "pages/mover.h"

/* A longer chain of parents is taken for a loop. */
#define MAX_LEVELS 1024

/* A pages image of a level: its own, or one with pages of another task that are the same. */
struct level_file {
	struct pages_file file; /* image is NULL until a stored range is in it */
	uint32_t pages_id;
	uint64_t size;
	struct level_file *next;
};

/* The images of one directory of the chain, the youngest first. */
struct page_level {
	struct store *store;
	struct pagemap map;
	struct level_file own; /* the first of all its files */
};

struct open_reader {
	struct page_reader reader;
	enum image_id id;
	uint64_t number;
	enum page_wanted wanted;
	size_t capacity;
};

static int read_level(struct open_reader *open, struct store *store)
{
	struct page_reader *reader = &open->reader;
	struct page_level *level;
	struct pagemap map;

	if (reader->n_levels == MAX_LEVELS)
		return refuse(ELOOP, "the images have more than %d parents; is there a loop of \"parent\" links?",
			      MAX_LEVELS);
	TRY(pagemap_read(store, open->id, open->number, &map));
	level = xzalloc(sizeof(*level));
	*level = (struct page_level){ .store = store, .map = map, .own = { .file.fd = -1, .pages_id = map.pages_id } };
	/* Pieces point to the file of their level: only the list of levels may move. */
	reader->levels = xrealloc(reader->levels, (reader->n_levels + 1) * sizeof(*reader->levels));
	reader->levels[reader->n_levels++] = level;
	return 0;
}

static int open_plain(struct pages_file *file, uint64_t *ret_size)
{
	struct stat stat;

	file->fd = image_fd(file->image);
	TRY(file->fd);
	if (fstat(file->fd, &stat) < 0)
		return fail_errno("%s: cannot be examined", file->name);
	file->sparse = stat.st_blocks * 512 < stat.st_size;
	*ret_size = (uint64_t)stat.st_size;
	return 0;
}

int pages_file_open(struct store *store, uint32_t pages_id, struct pages_file *file, uint64_t *ret_size)
{
	*file = (struct pages_file){ .fd = -1, .store = store, .pages_id = pages_id };
	TRY(image_open(store, &file->image, IMAGE_PAGES, pages_id));
	file->name = image_get_name(file->image);
	file->blocks = image_get_blocks(file->image);
	file->pipe = image_get_pipe_pages(file->image);
	if (file->blocks)
		*ret_size = block_reader_size(file->blocks);
	else if (file->pipe)
		*ret_size = pipe_pages_size(file->pipe);
	else
		TRY(open_plain(file, ret_size));
	return 0;
}

static int open_pages(struct page_level *level, struct level_file *which)
{
	int result = pages_file_open(level->store, which->pages_id, &which->file, &which->size);

	if (result == -ENOENT && store_has_pages_elsewhere(level->store)) {
		which->file.name = "the parent images";
		which->size = UINT64_MAX;
		return 0;
	}
	if (result == -ENOENT)
		return refuse(EINVAL, "pages-%u.img is missing, but a pagemap names it", which->pages_id);
	return result;
}

/* Opens the file if it is not open yet; it has these bytes, or more. */
static int need_file(struct page_level *level, uint32_t pages_id, uint64_t size, struct pages_file **ret)
{
	struct level_file *which = &level->own;

	while (which->pages_id != pages_id && which->next)
		which = which->next;
	if (which->pages_id != pages_id) {
		which = which->next = xzalloc(sizeof(*which));
		*which = (struct level_file){ .file.fd = -1, .pages_id = pages_id };
	}
	if (!which->file.name)
		TRY(open_pages(level, which));
	if (which->size < size)
		return refuse(EINVAL, "%s is cut off: has %" PRIu64 " bytes, its pagemap names %" PRIu64,
			      which->file.name, which->size, size);
	*ret = &which->file;
	return 0;
}

static bool wants_lazy(const struct open_reader *open)
{
	return open->wanted != PAGES_ALL && open->wanted != PAGES_PLACES;
}

/* Where pages of the level are that it has, or names in a file of another task. */
static int find_place(struct open_reader *open, struct page_level *level, const struct page_range *range,
		      struct pages_file **ret_file, uint64_t *ret_offset)
{
	if (range->flags & PE_ELSEWHERE) {
		open->reader.names_others = true;
		*ret_offset = range->there;
		return need_file(level, range->there_id, range->there + range->nr_pages * page_size(), ret_file);
	}
	*ret_offset = range->offset;
	return need_file(level, level->map.pages_id, level->map.pages_size, ret_file);
}

/* Bytes [start, start + size) of the range. */
static int add_stored(struct open_reader *open, size_t number, const struct page_range *range, uint64_t start,
		      uint64_t size)
{
	struct page_reader *reader = &open->reader;
	struct stored_range *last = reader->n ? &reader->ranges[reader->n - 1] : NULL;
	const bool lazy = wants_lazy(open) && range->flags & PE_LAZY;
	const bool remote = !(range->flags & (PE_PRESENT | PE_ELSEWHERE)) || open->wanted == PAGES_PLACES ||
			    (open->wanted == PAGES_LAZY_REMOTE && number == 0);
	struct pages_file *file = NULL;
	uint64_t offset = start; /* ranges without a file are named by their addresses */

	if (!remote) {
		TRY(find_place(open, reader->levels[number], range, &file, &offset));
		offset += start - range->start;
	}
	reader->size += size;
	if (last && last->file == file && last->level == number && last->lazy == lazy &&
	    last->start + last->size == start && last->offset + last->size == offset) {
		last->size += size;
		return 0;
	}
	if (reader->n == open->capacity) {
		open->capacity = open->capacity ? open->capacity * 2 : 16;
		reader->ranges = xrealloc(reader->ranges, open->capacity * sizeof(*reader->ranges));
	}
	reader->ranges[reader->n++] = (struct stored_range){
		.start = start,
		.size = size,
		.offset = offset,
		.file = file,
		.level = (uint32_t)number,
		.lazy = lazy,
	};
	return 0;
}

static int need_level(struct open_reader *open, size_t number)
{
	struct store *parent;
	int result;

	if (number < open->reader.n_levels)
		return 0;
	result = store_get_parent(open->reader.levels[number - 1]->store, &parent);
	if (result == 0)
		result = read_level(open, parent);
	if (result == -ENOENT)
		return refuse(ENOENT,
			      "%s %" PRIu64 ": the image refers to a parent, but there is none with its pagemap",
			      open->id == IMAGE_PAGEMAP ? "process" : "shared memory", open->number);
	return result;
}

static int add_range(struct open_reader *open, size_t number, uint64_t start, uint64_t end);

/* Bytes [start, end), which are inside one range of the level. */
static int add_part(struct open_reader *open, size_t number, const struct page_range *range, uint64_t start,
		    uint64_t end)
{
	if (range->flags & PE_PARENT)
		return add_range(open, number + 1, start, end);
	if (!(range->flags & PE_LAZY) && (open->wanted == PAGES_LAZY || open->wanted == PAGES_LAZY_REMOTE))
		return 0;
	if (range->flags & (PE_PRESENT | PE_ELSEWHERE) || (range->flags & PE_LAZY && wants_lazy(open)))
		return add_stored(open, number, range, start, end - start);
	return refuse(EINVAL,
		      "the pages at %#" PRIx64
		      " were left to a lazy-pages server and are not in the images: restore with --lazy-pages",
		      start);
}

/* A range that is in the parent may there be split differently. */
static int add_range(struct open_reader *open, size_t number, uint64_t start, uint64_t end)
{
	TRY(need_level(open, number));
	while (start < end) {
		const struct page_range *range = pagemap_find(&open->reader.levels[number]->map, start);
		uint64_t stop;

		if (!range || range->start > start)
			return refuse(EINVAL,
				      "the pages at %#" PRIx64 " should be in the parent images, but are not there",
				      start);
		stop = range->start + range->nr_pages * page_size();
		if (stop > end)
			stop = end;
		TRY(add_part(open, number, range, start, stop));
		start = stop;
	}
	return 0;
}

static int open_reader(struct open_reader *open, struct store *store)
{
	struct pagemap *map;

	TRY(read_level(open, store));
	map = &open->reader.levels[0]->map;
	for (size_t i = 0; i < map->n; i++)
		TRY(add_part(open, 0, &map->ranges[i], map->ranges[i].start,
			     map->ranges[i].start + map->ranges[i].nr_pages * page_size()));
	for (size_t i = 0; i < open->reader.n_levels; i++)
		pagemap_done(&open->reader.levels[i]->map);
	if (open->reader.n)
		open->reader.ranges = xrealloc(open->reader.ranges, open->reader.n * sizeof(*open->reader.ranges));
	return 0;
}

int page_reader_open(struct store *store, enum image_id id, uint64_t number, struct page_reader **ret)
{
	return page_reader_open_for(store, id, number, PAGES_ALL, ret);
}

int page_reader_open_for(struct store *store, enum image_id id, uint64_t number, enum page_wanted wanted,
			 struct page_reader **ret)
{
	struct open_reader *open = xzalloc(sizeof(*open));
	struct page_reader *reader = &open->reader;
	int result;

	open->id = id;
	open->number = number;
	open->wanted = wanted;
	result = open_reader(open, store);
	if (result < 0)
		page_reader_close(&reader);
	else
		*ret = reader;
	return result;
}

int pages_file_read(const struct pages_file *file, void *to, size_t size, uint64_t offset)
{
	ssize_t got;

	if (file->pipe)
		return pipe_pages_read(file->pipe, to, size, offset);
	got = file->blocks ? block_reader_read(file->blocks, to, size, offset)
			   : io_pread(file->fd, to, size, (off_t)offset);
	if (got < 0)
		return file->blocks
			       ? (int)got
			       : fail((int)-got, "%s: cannot read %zu bytes at %" PRIu64, file->name, size, offset);
	return (size_t)got == size ? 0 : refuse(EIO, "%s has become shorter", file->name);
}

static void close_files(struct level_file *own)
{
	image_close(&own->file.image);
	while (own->next) {
		struct level_file *gone = own->next;

		own->next = gone->next;
		image_close(&gone->file.image);
		free(gone);
	}
}

void page_reader_close(struct page_reader **ref)
{
	struct page_reader *reader = *ref;

	if (!reader)
		return;
	for (size_t i = 0; i < reader->n_levels; i++) {
		pagemap_done(&reader->levels[i]->map);
		close_files(&reader->levels[i]->own);
		free(reader->levels[i]);
	}
	free(reader->levels);
	free(reader->ranges);
	free(reader); /* the first member of struct open_reader */
	*ref = NULL;
}
