/* SPDX-License-Identifier: GPL-2.0-only */
/* Which pages a lazy restore brings when, and where they are wanted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/pool.h"
#include "pages/lazy/lazy-space.h"

#define PAGE 4096ull
#define MUCH (1ull << 30)

struct piece {
	uint64_t page, n;
	uint32_t level;
};

/* All from a page server, so that no file is needed. */
static struct lazy_source *make_source(const struct piece *pieces, size_t n)
{
	struct page_reader *reader = xzalloc(sizeof(*reader));

	reader->ranges = xzalloc(n * sizeof(*reader->ranges));
	reader->n = n;
	for (size_t i = 0; i < n; i++) {
		reader->ranges[i].start = pieces[i].page * PAGE;
		reader->ranges[i].size = pieces[i].n * PAGE;
		reader->ranges[i].level = pieces[i].level;
	}
	return lazy_source_create(1, reader, -1, -1);
}

static struct lazy_space *space_of(struct lazy_source *source)
{
	return list_entry(source->spaces.next, struct lazy_space, link);
}

static void expect_next(struct lazy_space *space, uint64_t most, uint64_t page, uint64_t n)
{
	struct lazy_range range;

	assert_true(lazy_space_claim_any(space, true, most * PAGE, &range));
	assert_int_equal(range.start / PAGE, page);
	assert_int_equal(range.size / PAGE, n);
}

static void expect_none(struct lazy_space *space)
{
	struct lazy_range range;

	assert_false(lazy_space_claim_any(space, true, MUCH, &range));
}

static void test_youngest_first(void **state)
{
	static const struct piece pieces[] = { { 10, 4, 2 }, { 20, 2, 0 }, { 30, 1, 1 }, { 40, 3, 0 } };
	struct lazy_source *source = make_source(pieces, 4);
	struct lazy_space *space = space_of(source);

	expect_next(space, MUCH, 20, 2);
	expect_next(space, 2, 40, 2);
	expect_next(space, MUCH, 42, 1);
	expect_next(space, MUCH, 30, 1);
	expect_next(space, 3, 10, 3);
	expect_next(space, 3, 13, 1);
	expect_none(space);
	assert_true(lazy_space_wants_any(space)); /* none of them has come */
	lazy_space_forget(space, 0, UINT64_MAX);
	assert_false(lazy_space_wants_any(space));
	lazy_source_destroy(source);
}

static void test_after_a_fault(void **state)
{
	static const struct piece pieces[] = { { 10, 8, 0 }, { 100, 600, 1 }, { 1000, 1, 0 } };
	struct lazy_source *source = make_source(pieces, 3);
	struct lazy_space *space = space_of(source);
	struct lazy_range range;

	assert_false(lazy_space_claim_ahead(space, true, MUCH, &range));
	lazy_space_forget(space, 102 * PAGE, 104 * PAGE);
	lazy_space_look_ahead(space, 104 * PAGE);
	assert_true(lazy_space_claim(space, true, 110 * PAGE, 2 * PAGE, &range));
	assert_true(lazy_space_claim_ahead(space, true, 64 * PAGE, &range));
	assert_int_equal(range.start / PAGE, 104);
	assert_int_equal(range.size / PAGE, 6);
	assert_true(lazy_space_claim_ahead(space, true, MUCH, &range));
	assert_int_equal(range.start / PAGE, 112);
	assert_int_equal(range.size / PAGE, 588);
	assert_false(lazy_space_claim_ahead(space, true, MUCH, &range)); /* the next ones are too far away */
	expect_next(space, MUCH, 10, 8);
	expect_next(space, MUCH, 1000, 1);
	expect_next(space, MUCH, 100, 2); /* what was jumped over */
	expect_none(space);
	lazy_source_destroy(source);
}

/* What lies below where the background is comes nevertheless; a child waits for the same. */
static void test_moved(void **state)
{
	static const struct piece pieces[] = { { 10, 2, 0 }, { 20, 4, 0 }, { 40, 1, 0 } };
	struct lazy_source *source = make_source(pieces, 3);
	struct lazy_space *space = space_of(source), *child;
	struct lazy_range range;

	expect_next(space, MUCH, 10, 2);
	lazy_space_forget(space, 10 * PAGE, 12 * PAGE);
	expect_next(space, 1, 20, 1);
	lazy_space_move(space, 21 * PAGE, 10 * PAGE, 2 * PAGE);
	child = lazy_space_fork(space, -1);
	expect_next(space, MUCH, 10, 2);
	expect_next(space, MUCH, 23, 1);
	expect_next(space, MUCH, 40, 1);
	expect_none(space);
	assert_true(lazy_space_find(space, 11 * PAGE, &range));
	assert_int_equal(range.origin / PAGE, 22);
	assert_false(lazy_space_find(space, 21 * PAGE, &range));
	expect_next(child, MUCH, 10, 2);
	lazy_source_destroy(source);
}

/* As many as are thrown out of the list in between. */
static void test_many(void **state)
{
	enum { N = 1000 };
	struct piece pieces[N];
	struct lazy_source *source;
	struct lazy_space *space;
	struct lazy_range range;

	for (size_t i = 0; i < N; i++)
		pieces[i] = (struct piece){ 2 * i, 1, i % 3 };
	source = make_source(pieces, N);
	space = space_of(source);
	for (uint32_t level = 0; level < 3; level++)
		for (size_t i = level; i < N; i += 3) {
			expect_next(space, MUCH, 2 * i, 1);
			assert_true(lazy_space_find(space, 2 * i * PAGE, &range));
			lazy_space_forget(space, 2 * i * PAGE, (2 * i + 1) * PAGE);
			assert_false(lazy_space_find(space, 2 * i * PAGE, &range));
			assert_int_equal(lazy_space_wants_any(space), level < 2 || i + 3 < N);
		}
	expect_none(space);
	lazy_source_destroy(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_youngest_first),
		cmocka_unit_test(test_after_a_fault),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
