/* SPDX-License-Identifier: GPL-2.0-only */
/* Pools, buffers and vectors; workers, which fill them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/buffer.h"
#include "base/pool.h"
#include "base/vector.h"
#include "base/workers.h"

static void test_pool(void **state)
{
	struct pool *pool = pool_create();
	char *before = NULL;

	for (size_t i = 0; i < 5000; i++) {
		size_t size = i % 500 ? i % 100 : i * 50;
		char *p = pool_alloc(pool, size);

		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(p[k], 0);
		memset(p, 0xff, size);
		if (size) {
			assert_ptr_not_equal(p, before);
			before = p;
		}
	}
	assert_string_equal(pool_string(pool, "text"), "text");
	assert_string_equal(pool_printf(pool, "%s-%d", "fd", 7), "fd-7");
	assert_memory_equal(pool_copy(pool, "a\0b", 3), "a\0b", 3);
	pool_destroy(&pool);
	assert_null(pool);
	pool_destroy(&pool);
}

static void test_buffer(void **state)
{
	struct buffer buffer = { 0 };
	char *room;

	for (int i = 0; i < 1000; i++)
		buffer_printf(&buffer, "%d,", i % 10);
	assert_int_equal(buffer.size, 2000);
	assert_int_equal(strlen(buffer.data), 2000);
	room = buffer_extend(&buffer, 3);
	assert_memory_equal(room, "\0\0\0", 3);
	buffer_append(&buffer, "end", 3);
	assert_int_equal(buffer.size, 2006);
	assert_string_equal(buffer.data + 2003, "end");
	buffer_done(&buffer);
	assert_null(buffer.data);
	buffer_append(&buffer, "", 0);
	assert_string_equal(buffer.data, "");
	buffer_done(&buffer);
}

static void test_vector(void **state)
{
	VECTOR(uint64_t) v = { 0 };

	for (uint64_t i = 0; i < 1000; i++)
		*vector_push(&v) = i * i;
	assert_int_equal(v.n, 1000);
	assert_int_equal(v.items[999], 999 * 999);
	vector_done(&v);
	assert_null(v.items);
}

struct sum {
	atomic_ulong total;
	unsigned long by_worker[8];
	size_t fail_at;
};

static int add(void *arg, size_t item, unsigned worker)
{
	struct sum *sum = arg;

	if (item == sum->fail_at)
		return -EIO;
	sum->by_worker[worker] += item;
	atomic_fetch_add(&sum->total, item);
	return 0;
}

static void test_workers(void **state)
{
	for (unsigned n = 0; n <= 8; n++) {
		struct workers *workers = workers_create(n);

		assert_true(workers_count(workers) >= 1 && (n == 0 || workers_count(workers) == n));
		for (size_t items = 0; items < 1000; items += 111) {
			struct sum sum = { .fail_at = SIZE_MAX };
			unsigned long total = 0;

			assert_int_equal(workers_run(workers, items, add, &sum), 0);
			for (int i = 0; i < 8; i++)
				total += sum.by_worker[i];
			assert_int_equal(sum.total, items ? items * (items - 1) / 2 : 0);
			assert_int_equal(total, sum.total);
			sum.fail_at = items / 2;
			assert_int_equal(workers_run(workers, items, add, &sum), items ? -EIO : 0);
		}
		workers_destroy(&workers);
		assert_null(workers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_buffer),
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
