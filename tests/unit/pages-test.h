/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of pages share: a store in a directory of its own and workers. */
#pragma once

#include "image-test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "image/store.h"
#include "pages/fill.h"
#include "pages/inherit.h"
#include "pages/reader.h"
#include "pages/save.h"

#define PAGE 4096u

struct scratch {
	char path[64];
	int dir;
	struct store *store;
	struct workers *workers;
	struct page_mover *mover;
	unsigned next_id;
};

static inline int make_scratch(void **state)
{
	struct scratch *scratch = xzalloc(sizeof(*scratch));

	failure_reset();
	strcpy(scratch->path, "/tmp/pages-test.XXXXXX");
	assert_non_null(mkdtemp(scratch->path));
	scratch->dir = open(scratch->path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(store_open_dir(scratch->dir, true, &scratch->store), 0);
	scratch->workers = workers_create(3);
	scratch->mover = page_mover_create(scratch->workers, NULL);
	*state = scratch;
	return 0;
}

static inline int remove_scratch(void **state)
{
	struct scratch *scratch = *state;
	char command[128];

	page_mover_destroy(&scratch->mover);
	workers_destroy(&scratch->workers);
	store_close(&scratch->store);
	close(scratch->dir);
	snprintf(command, sizeof(command), "rm -rf %s", scratch->path);
	assert_int_equal(system(command), 0);
	free(scratch);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)
