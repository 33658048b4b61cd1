/* SPDX-License-Identifier: GPL-2.0-only */
/* Statistics: clocks that add up, and what is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "flow/stats.h"
#include "image/record.h"
#include "image/store.h"
#include "options/options.h"
#include "session/session.h"
#include "stats.pb-c.h"

static void test_clocks(void **state)
{
	struct stats stats = { 0 };
	uint64_t first;

	stats_stop(&stats, STATS_FORKING); /* never started */
	assert_true(stats.took[STATS_FORKING] == 0);
	stats_start(&stats, STATS_FORKING);
	usleep(2000);
	stats_stop(&stats, STATS_FORKING);
	first = stats.took[STATS_FORKING];
	assert_true(first >= 2000000);
	stats_stop(&stats, STATS_FORKING);
	assert_true(stats.took[STATS_FORKING] == first);
	stats_start(&stats, STATS_FORKING);
	usleep(1000);
	stats_stop(&stats, STATS_FORKING);
	assert_true(stats.took[STATS_FORKING] >= first + 1000000);
	assert_true(stats.took[STATS_FROZEN] == 0);
}

static void test_images(void **state)
{
	char folder[] = "/tmp/criu-stats-XXXXXX";
	struct options options = { .display_stats = false };
	struct stats stats = { .took = { [STATS_FREEZING] = 5999, [STATS_FROZEN] = 1ull << 52 },
			       .pages_written = 1ull << 40 };
	struct dump d = { .stats = &stats };
	struct restore r = { .stats = &stats };
	struct store *store;
	StatsEntry *entry;
	int dir;

	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(stats_write_dump(&d, &options), 0);
	stats.pages_restored = 7;
	assert_int_equal(stats_write_restore(&r, &options), 0);

	dir = open(".", O_RDONLY | O_DIRECTORY);
	assert_int_equal(store_open_dir(dir, false, &store), 0);
	close(dir);
	assert_int_equal(image_read_one(store, IMAGE_STATS_DUMP, &entry), 0);
	assert_null(entry->restore);
	assert_int_equal(entry->dump->freezing_time, 5); /* us */
	assert_true(entry->dump->frozen_time == UINT32_MAX);
	assert_true(entry->dump->pages_written == 1ull << 40);
	assert_int_equal(image_read_one(store, IMAGE_STATS_RESTORE, &entry), 0);
	assert_null(entry->dump);
	assert_int_equal(entry->restore->pages_restored, 7);
	store_close(&store);
	assert_int_equal(unlink("stats-dump"), 0);
	assert_int_equal(unlink("stats-restore"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
