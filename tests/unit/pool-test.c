/* SPDX-License-Identifier: GPL-2.0-only */
/* Pools: what is given back is used again, by blocks of its size, and clean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/pool.h"

static void test_give_back(void **state)
{
	static const char zeroes[4096];
	struct pool *pool = pool_create();
	char *first = pool_alloc(pool, 4096), *second = pool_alloc(pool, 4090), *small = pool_alloc(pool, 8), *again;

	memset(first, 'x', 4096);
	memset(second, 'y', 4090);
	memset(small, 's', 8);
	pool_give_back(pool, first, 4096);
	pool_give_back(pool, second, 4090);
	assert_ptr_not_equal(pool_alloc(pool, 2048), second);
	again = pool_alloc(pool, 4085); /* rounded up, all three are as large */
	assert_ptr_equal(again, second);
	assert_memory_equal(again, zeroes, 4085);
	assert_ptr_equal(pool_alloc(pool, 4096), first);
	assert_memory_equal(first, zeroes, 4096);
	assert_ptr_not_equal(pool_alloc(pool, 4096), first);
	pool_give_back(pool, small, 8);
	assert_ptr_equal(pool_alloc(pool, 16), small);
	assert_memory_equal(small, zeroes, 16);
	pool_give_back(pool, pool_alloc(pool, 0), 0);
	assert_non_null(pool_alloc(pool, 0));
	pool_destroy(&pool);
}

/* Blocks that have a chunk of their own, too. */
static void test_large(void **state)
{
	struct pool *pool = pool_create();
	char *large = pool_alloc(pool, 300000);

	memset(large, 'x', 300000);
	pool_give_back(pool, large, 300000);
	assert_ptr_equal(pool_alloc(pool, 300000), large);
	for (size_t i = 0; i < 300000; i++)
		assert_int_equal(large[i], 0);
	pool_destroy(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_give_back),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
