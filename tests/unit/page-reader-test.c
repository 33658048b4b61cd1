/* SPDX-License-Identifier: GPL-2.0-only */
/* Where pages are: through parents, and against what a process inherited. */
#include "pages-test.h"

static void test_inherit_splits(void **state)
{
	/* image:    [1..4)   [6..8) [9..10)  ; process: [2..3) [5..7) [9..12) */
	static const struct stored_range ranges[] = { { 1 * PAGE, 3 * PAGE, 0, NULL, 0 },
						      { 6 * PAGE, 2 * PAGE, 3 * PAGE, NULL, 0 },
						      { 9 * PAGE, 1 * PAGE, 5 * PAGE, NULL, 0 } };
	static const struct page_range present[] = { { 2 * PAGE, 1, 0, 0 },
						     { 5 * PAGE, 2, 0, 0 },
						     { 9 * PAGE, 3, 0, 0 } };
	static const struct stored_range wanted[] = {
		{ 1 * PAGE, PAGE, 0, NULL, PAGE_FRESH },	{ 2 * PAGE, PAGE, 1 * PAGE, NULL, PAGE_COMPARE },
		{ 3 * PAGE, PAGE, 2 * PAGE, NULL, PAGE_FRESH }, { 6 * PAGE, PAGE, 3 * PAGE, NULL, PAGE_COMPARE },
		{ 7 * PAGE, PAGE, 4 * PAGE, NULL, PAGE_FRESH }, { 9 * PAGE, PAGE, 5 * PAGE, NULL, PAGE_COMPARE },
	};
	static const struct address_range gone[] = { { 5 * PAGE, 6 * PAGE }, { 10 * PAGE, 12 * PAGE } };
	struct page_inheritance result = { 0 };

	pages_inherit(ranges, 3, present, 3, PAGE_FRESH, &result);
	assert_int_equal(result.ranges.n, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(result.ranges.items[i].start, wanted[i].start);
		assert_int_equal(result.ranges.items[i].size, wanted[i].size);
		assert_int_equal(result.ranges.items[i].offset, wanted[i].offset);
		assert_int_equal(result.ranges.items[i].how, wanted[i].how);
	}
	assert_int_equal(result.gone.n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(result.gone.items[i].start, gone[i].start);
		assert_int_equal(result.gone.items[i].end, gone[i].end);
	}
	pages_inherit_done(&result);
}

/* --- parents --- */

struct entry {
	uint64_t page, n;
	uint32_t flags;
};

static void write_chain_link(struct store *store, const struct entry *entries, size_t n, unsigned fill)
{
	struct pagemap_writer *writer = NULL;
	struct image *image = NULL;
	char page[PAGE];

	assert_int_equal(pagemap_create(store, IMAGE_PAGEMAP, 1, 1, &writer), 0);
	assert_int_equal(image_create(store, &image, IMAGE_PAGES, 1), 0);
	assert_true(image_fd(image) >= 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(pagemap_append(writer, entries[i].page * PAGE, entries[i].n, entries[i].flags, NULL),
				 0);
		for (uint64_t j = 0; entries[i].flags & PE_PRESENT && j < entries[i].n; j++) {
			memset(page, (int)(fill + entries[i].page + j), PAGE);
			assert_int_equal(write(image_fd(image), page, PAGE), PAGE);
		}
	}
	assert_int_equal(pagemap_finish(&writer), 0);
	assert_int_equal(image_finish(&image), 0);
}

static struct store *make_link(struct scratch *scratch, const char *name, const char *parent,
			       const struct entry *entries, size_t n, unsigned fill)
{
	struct store *store = NULL;
	int dir;

	assert_int_equal(mkdirat(scratch->dir, name, 0700), 0);
	dir = openat(scratch->dir, name, O_RDONLY | O_DIRECTORY);
	if (parent)
		assert_int_equal(symlinkat(parent, dir, "parent"), 0);
	assert_int_equal(store_open_dir(dir, true, &store), 0);
	write_chain_link(store, entries, n, fill);
	store_close(&store);
	assert_int_equal(store_open_dir(dir, false, &store), 0);
	close(dir);
	return store;
}

static void check_range(const struct stored_range *range, uint64_t page, unsigned n, unsigned fill)
{
	char data[PAGE];

	assert_int_equal(range->start, page * PAGE);
	assert_int_equal(range->size, n * PAGE);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(pread(range->file->fd, data, PAGE, (off_t)(range->offset + i * PAGE)), PAGE);
		assert_int_equal((unsigned char)data[0], fill + page + i);
	}
}

static void test_parents(void **state)
{
	struct scratch *scratch = *state;
	static const struct entry oldest[] = { { 10, 10, PE_PRESENT }, { 30, 5, PE_PRESENT | PE_LAZY } };
	static const struct entry middle[] = {
		{ 10, 3, PE_PARENT }, { 13, 2, PE_PRESENT }, { 15, 2, PE_PARENT }, { 31, 3, PE_PARENT }
	};
	static const struct entry youngest[] = { { 5, 1, PE_PRESENT }, { 11, 6, PE_PARENT }, { 32, 1, PE_PARENT } };
	struct store *a = make_link(scratch, "a", NULL, oldest, 2, 10),
		     *b = make_link(scratch, "b", "../a", middle, 4, 100);
	struct store *c = make_link(scratch, "c", "../b", youngest, 3, 200);
	struct page_reader *reader = NULL;

	assert_int_equal(page_reader_open(c, IMAGE_PAGEMAP, 1, &reader), 0);
	assert_int_equal(reader->n, 5);
	assert_int_equal(reader->size, 8 * PAGE);
	check_range(&reader->ranges[0], 5, 1, 200);
	check_range(&reader->ranges[1], 11, 2, 10);
	check_range(&reader->ranges[2], 13, 2, 100);
	check_range(&reader->ranges[3], 15, 2, 10);
	check_range(&reader->ranges[4], 32, 1, 10);
	page_reader_close(&reader);
	store_close(&a);
	store_close(&b);
	store_close(&c);
}

static void test_bad_parents(void **state)
{
	struct scratch *scratch = *state;
	static const struct entry all[] = { { 10, 10, PE_PRESENT } };
	static const struct entry hole[] = { { 9, 2, PE_PARENT } };
	static const struct entry lazy[] = { { 9, 2, PE_LAZY } };
	struct store *a = make_link(scratch, "a", NULL, all, 1, 0), *b = make_link(scratch, "b", "../a", hole, 1, 0);
	struct store *c = make_link(scratch, "c", NULL, hole, 1, 0), *d = make_link(scratch, "d", NULL, lazy, 1, 0);
	struct page_reader *reader = NULL;

	assert_int_equal(page_reader_open(b, IMAGE_PAGEMAP, 1, &reader), -EINVAL);
	assert_non_null(strstr(failure_text(), "not there"));
	assert_int_equal(page_reader_open(c, IMAGE_PAGEMAP, 1, &reader), -ENOENT);
	assert_int_equal(page_reader_open(d, IMAGE_PAGEMAP, 1, &reader), -EINVAL);
	assert_int_equal(truncate(strcat(strcpy((char[128]){ 0 }, scratch->path), "/a/pages-1.img"), 9 * PAGE), 0);
	assert_int_equal(page_reader_open(a, IMAGE_PAGEMAP, 1, &reader), -EINVAL);
	assert_int_equal(page_reader_open(a, IMAGE_PAGEMAP, 2, &reader), -ENOENT);
	assert_null(reader);
	store_close(&a);
	store_close(&b);
	store_close(&c);
	store_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_inherit_splits), TEST(test_parents), TEST(test_bad_parents) };

	silence_log(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
