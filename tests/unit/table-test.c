/* SPDX-License-Identifier: GPL-2.0-only */
/* Hash table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/table.h"

#define N 20000

static int values[N];

static void test_set_and_find(void **state)
{
	struct table *table = table_create();
	size_t cursor = 0, walked = 0;

	for (uint64_t i = 0; i < N; i++)
		assert_null(table_set2(table, i << 12, i, &values[i]));
	assert_int_equal(table_count(table), N);
	for (uint64_t i = 0; i < N; i++)
		assert_ptr_equal(table_find2(table, i << 12, i), &values[i]);
	assert_null(table_find2(table, 1 << 12, 2));
	assert_ptr_equal(table_find(table, 0), &values[0]);
	assert_ptr_equal(table_set(table, 0, &values[7]), &values[0]);
	assert_ptr_equal(table_find(table, 0), &values[7]);
	while (table_next(table, &cursor))
		walked++;
	assert_int_equal(walked, N);
	table_destroy(&table);
	assert_null(table);
}

/* Against a plain array, with keys so few that chains form, break and wrap around. */
static void test_remove(void **state)
{
	struct table *table = table_create();
	void *expected[64] = { 0 };
	size_t n = 0;

	srandom(1);
	for (int round = 0; round < 100000; round++) {
		uint64_t key = (uint64_t)random() % 64;
		void *value = &values[random() % N];

		if (random() % 2) {
			n += !expected[key];
			assert_ptr_equal(table_set(table, key, value), expected[key]);
			expected[key] = value;
		} else {
			n -= !!expected[key];
			assert_ptr_equal(table_remove(table, key), expected[key]);
			expected[key] = NULL;
		}
		assert_int_equal(table_count(table), n);
		assert_ptr_equal(table_find(table, key), expected[key]);
		key = (uint64_t)random() % 64;
		assert_ptr_equal(table_find(table, key), expected[key]);
	}
	table_destroy(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_and_find),
		cmocka_unit_test(test_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
