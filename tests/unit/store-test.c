/* SPDX-License-Identifier: GPL-2.0-only */
/* Stores: directories and memory, parents, files that appear only when something is written; inventory and pagemaps. */
#include "image-test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "image/inventory.h"
#include "image/pagemap-image.h"

#include "fs.pb-c.h"
#include "image/payload.h"
#include "image/read-ahead.h"
#include "image/record.h"
#include "image/store-memory.h"
#include "image/store.h"
#include "mm.pb-c.h"
#include "pagemap.pb-c.h"

struct scratch {
	char path[64];
	int dir;
	struct store *store;
};

static int make_scratch(void **state)
{
	struct scratch *scratch = xzalloc(sizeof(*scratch));

	failure_reset();
	strcpy(scratch->path, "/tmp/store-test.XXXXXX");
	assert_non_null(mkdtemp(scratch->path));
	scratch->dir = open(scratch->path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(store_open_dir(scratch->dir, true, &scratch->store), 0);
	*state = scratch;
	return 0;
}

static int remove_scratch(void **state)
{
	struct scratch *scratch = *state;
	char command[128];

	store_close(&scratch->store);
	close(scratch->dir);
	snprintf(command, sizeof(command), "rm -rf %s", scratch->path);
	assert_int_equal(system(command), 0);
	free(scratch);
	return 0;
}

static off_t size_of(struct scratch *scratch, const char *name)
{
	struct stat stat;

	return fstatat(scratch->dir, name, &stat, 0) < 0 ? -1 : stat.st_size;
}

static void test_a_file_appears_with_its_first_byte(void **state)
{
	struct scratch *scratch = *state;
	struct image *image = NULL;

	assert_int_equal(close(openat(scratch->dir, "fdinfo-2.img", O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(image_create(scratch->store, &image, IMAGE_FDINFO, 2), 0);
	assert_int_equal(image_finish(&image), 0);
	assert_int_equal(size_of(scratch, "fdinfo-2.img"), -1);
	assert_int_equal(image_open(scratch->store, &image, IMAGE_FDINFO, 2), -ENOENT);

	assert_int_equal(image_create(scratch->store, &image, IMAGE_IRMAP_CACHE), 0);
	assert_int_equal(image_write_head(image), 0);
	assert_int_equal(image_finish(&image), 0);
	assert_int_equal(size_of(scratch, "irmap-cache"), 8);
}

static void test_an_old_file_is_cut(void **state)
{
	struct scratch *scratch = *state;
	FsEntry fs = FS_ENTRY__INIT, *read;
	int fd = openat(scratch->dir, "fs-3.img", O_CREAT | O_WRONLY, 0600);

	assert_int_equal(ftruncate(fd, 100000), 0);
	close(fd);
	fs.root_id = 9;
	assert_int_equal(image_write_one(scratch->store, IMAGE_FS, &fs, 3), 0);
	assert_in_range(size_of(scratch, "fs-3.img"), 8, 40);
	assert_int_equal(image_read_one(scratch->store, IMAGE_FS, &read, 3), 0);
	assert_int_equal(read->root_id, 9);
}

/* Whether the thread was faster, or whoever reads; what is missing, damaged or odd is told as ever. */
static void test_images_are_read_ahead(void **state)
{
	struct scratch *scratch = *state;
	FsEntry fs = FS_ENTRY__INIT, *read;

	for (uint32_t i = 1; i <= 100; i++) {
		fs.root_id = i;
		if (i % 10)
			assert_int_equal(image_write_one(scratch->store, IMAGE_FS, &fs, i), 0);
		read_ahead_add(scratch->store, IMAGE_FS, i);
	}
	assert_int_equal(mkdirat(scratch->dir, "fs-10.img", 0700), 0);
	assert_int_equal(mkfifoat(scratch->dir, "fs-20.img", 0600), 0);
	assert_int_equal(close(openat(scratch->dir, "fs-30.img", O_CREAT | O_WRONLY, 0600)), 0);
	read_ahead_begin(scratch->store);
	for (uint32_t i = 1; i <= 100; i++) {
		int result = image_read_one(scratch->store, IMAGE_FS, &read, i);

		assert_int_equal(result, i % 10 ? 0 : i <= 30 ? -EINVAL : -ENOENT);
		assert_true(result || read->root_id == i);
	}
	read_ahead_end(scratch->store);
	assert_int_equal(image_read_one(scratch->store, IMAGE_FS, &read, 1), 0);
	assert_int_equal(read->root_id, 1);
}

static void test_links_are_not_followed_for_writing(void **state)
{
	struct scratch *scratch = *state;
	FsEntry fs = FS_ENTRY__INIT;

	assert_int_equal(close(openat(scratch->dir, "victim", O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(symlinkat("victim", scratch->dir, "fs-3.img"), 0);
	assert_int_equal(image_write_one(scratch->store, IMAGE_FS, &fs, 3), -ELOOP);
	assert_int_equal(size_of(scratch, "victim"), 0);
}

static void test_raw_images_have_a_descriptor(void **state)
{
	struct scratch *scratch = *state;
	struct image *image = NULL;
	char text[8] = "";

	assert_int_equal(image_create(scratch->store, &image, IMAGE_PAGES, 1), 0);
	assert_int_equal(pwrite(image_fd(image), "tail", 4, 4096), 4);
	assert_int_equal(pwrite(image_fd(image), "head", 4, 0), 4);
	assert_int_equal(image_finish(&image), 0);
	assert_int_equal(size_of(scratch, "pages-1.img"), 4100);
	assert_int_equal(image_open(scratch->store, &image, IMAGE_PAGES, 1), 0);
	assert_int_equal(pread(image_fd(image), text, 4, 4096), 4);
	assert_string_equal(text, "tail");
	assert_int_equal(image_read_some(image, text, 4), 4);
	assert_string_equal(text, "head");
	image_close(&image);
}

/* Records bigger than the buffer, and many small ones. */
static void test_big_images(void **state)
{
	struct scratch *scratch = *state;
	struct image *image = NULL;
	MmEntry mm = MM_ENTRY__INIT, *read;
	uint64_t *auxv = xzalloc(100000 * sizeof(*auxv));
	PagemapEntry page = PAGEMAP_ENTRY__INIT, *page_read;
	PagemapHead head = PAGEMAP_HEAD__INIT;

	for (unsigned i = 0; i < 100000; i++)
		auxv[i] = i * 77777ull;
	mm.n_mm_saved_auxv = 100000;
	mm.mm_saved_auxv = auxv;
	assert_int_equal(image_write_one(scratch->store, IMAGE_MM, &mm, 1), 0);
	assert_int_equal(image_read_one(scratch->store, IMAGE_MM, &read, 1), 0);
	assert_int_equal(read->n_mm_saved_auxv, 100000);
	assert_memory_equal(read->mm_saved_auxv, auxv, 100000 * sizeof(*auxv));
	free(auxv);

	assert_int_equal(image_create(scratch->store, &image, IMAGE_PAGEMAP, 1), 0);
	assert_int_equal(image_write(image, &head), 0);
	for (page.vaddr = 0; page.vaddr < 50000; page.vaddr++)
		assert_int_equal(image_write(image, &page), 0);
	assert_int_equal(image_finish(&image), 0);
	assert_int_equal(image_open(scratch->store, &image, IMAGE_PAGEMAP, 1), 0);
	assert_int_equal(image_read(image, &page_read), 1);
	for (unsigned i = 0; i < 50000; i++) {
		assert_int_equal(image_read(image, &page_read), 1);
		assert_int_equal(page_read->vaddr, i);
	}
	assert_int_equal(image_read(image, &page_read), 0);
	image_close(&image);
}

static int count_names(void *arg, const char *name)
{
	strcat(arg, name);
	strcat(arg, " ");
	return 0;
}

static void test_parents(void **state)
{
	struct scratch *scratch = *state;
	struct store *parent, *again;
	FsEntry fs = FS_ENTRY__INIT, *read;
	char names[256] = "";

	assert_int_equal(store_get_parent(scratch->store, &parent), -ENOENT);
	assert_int_equal(mkdirat(scratch->dir, "old", 0700), 0);
	assert_int_equal(symlinkat("old", scratch->dir, "parent"), 0);
	assert_int_equal(store_get_parent(scratch->store, &parent), 0);
	assert_int_equal(store_get_parent(scratch->store, &again), 0);
	assert_ptr_equal(parent, again);
	fs.cwd_id = 4;
	assert_int_equal(image_write_one(parent, IMAGE_FS, &fs, 1), 0);
	assert_int_equal(image_read_one(parent, IMAGE_FS, &read, 1), 0);
	assert_int_equal(store_get_parent(parent, &again), -ENOENT);
	assert_int_equal(store_list(scratch->store, count_names, names), 0);
	assert_string_equal(names, "old parent ");
	assert_string_equal(failure_text(), "");
}

static void test_bad_parents(void **state)
{
	struct scratch *scratch = *state;
	struct store *parent;

	assert_int_equal(symlinkat("nowhere", scratch->dir, "parent"), 0);
	assert_int_equal(store_get_parent(scratch->store, &parent), -ENOENT);
	assert_non_null(strstr(failure_text(), "cannot open the parent images"));
	assert_int_equal(unlinkat(scratch->dir, "parent", 0), 0);
	failure_reset();
	assert_int_equal(symlinkat(".", scratch->dir, "parent"), 0);
	assert_int_equal(store_get_parent(scratch->store, &parent), -ELOOP);
}

static void test_a_directory_in_memory(void **state)
{
	static const char archive[] = "\x08"
				      "fs-1.img"
				      "\x03\0\0\0"
				      "abc"
				      "\x0f"
				      "parent/fs-2.img"
				      "\xff\0\0\0"
				      "de";
	struct store *store = store_load_archive(archive, sizeof(archive) - 1), *parent;
	char names[64] = "";
	size_t size;

	assert_memory_equal(store_find_file(store, "fs-1.img", &size), "abc", 3);
	assert_int_equal(store_get_parent(store, &parent), 0);
	assert_memory_equal(store_find_file(parent, "fs-2.img", &size), "de", 2);
	assert_int_equal(size, 2);
	assert_int_equal(store_list(store, count_names, names), 0);
	assert_string_equal(names, "fs-1.img ");
	store_close(&store);
}

static void test_inventory(void **state)
{
	struct scratch *scratch = *state;
	struct inventory inventory, out = { .lock = INVENTORY_LOCK_SKIP, .tcp_close = true, .pre_dump_mode = 2 };
	char *plugins[] = { "one", "two" };

	assert_int_equal(inventory_read(scratch->store, &inventory), -ENOENT);
	assert_non_null(strstr(failure_text(), "there is no inventory.img"));
	out.plugins = plugins;
	out.n_plugins = 2;
	assert_int_equal(inventory_make_run_id(out.run_id), 0);
	assert_int_equal(strlen(out.run_id), 36);
	assert_int_equal(inventory_write(scratch->store, &out), 0);
	assert_int_equal(inventory_read(scratch->store, &inventory), 0);
	assert_int_equal(inventory.version, 2);
	assert_true(inventory.ns_per_id && inventory.has_plugins && inventory.tcp_close && !inventory.allow_uprobes);
	assert_int_equal(inventory.lock, INVENTORY_LOCK_SKIP);
	assert_int_equal(inventory.pre_dump_mode, 2);
	assert_int_equal(inventory.n_plugins, 2);
	assert_string_equal(inventory.plugins[1], "two");
	assert_string_equal(inventory.run_id, out.run_id);
	assert_int_equal(inventory_check_options(&inventory, false, false), -EINVAL);
	assert_int_equal(inventory_check_options(&inventory, true, false), 0);
}

/* What CRIU wrote is what we write. */
static void test_inventory_of_criu(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(compat_folders); i++) {
		AUTO(store_close) struct store *store = NULL;
		AUTO(store_close) struct store *memory = store_create_memory();
		char path[512];
		AUTO_CLOSE int dir = -1;
		AUTO_FREE char *data = NULL;
		struct inventory inventory;
		size_t size, again_size;
		const void *again;

		snprintf(path, sizeof(path), COMPAT "/%s/images", compat_folders[i]);
		dir = open(path, O_RDONLY | O_DIRECTORY);
		assert_int_equal(store_open_dir(dir, false, &store), 0);
		assert_int_equal(inventory_read(store, &inventory), 0);
		assert_int_equal(inventory_write(memory, &inventory), 0);
		assert_int_equal(file_read_all(dir, "inventory.img", &data, &size), 0);
		again = store_find_file(memory, "inventory.img", &again_size);
		assert_int_equal(again_size, size);
		assert_memory_equal(again, data, size);
	}
}

static void check_bad_inventory(InventoryEntry *entry, const char *text)
{
	AUTO(store_close) struct store *store = store_create_memory();
	struct inventory inventory;

	failure_reset();
	assert_int_equal(image_write_one(store, IMAGE_INVENTORY, entry), 0);
	assert_true(inventory_read(store, &inventory) < 0);
	if (!strstr(failure_text(), text))
		fail_with("\"%s\" is not in \"%s\"", text, failure_text());
}

static void test_bad_inventories(void **state)
{
	InventoryEntry entry = INVENTORY_ENTRY__INIT;

	entry.img_version = 4;
	check_bad_inventory(&entry, "images of version 4");
	entry.img_version = 2;
	check_bad_inventory(&entry, "fdinfo_per_id");
	entry.has_fdinfo_per_id = entry.fdinfo_per_id = true;
	entry.dump_criu_run_id = "drop table; ";
	check_bad_inventory(&entry, "is not a uuid");
	entry.dump_criu_run_id = NULL;
	entry.has_network_lock_method = true;
	entry.network_lock_method = 3;
	check_bad_inventory(&entry, "unknown network lock method 3");
}

static void test_pagemap(void **state)
{
	struct scratch *scratch = *state;
	struct pagemap_writer *writer = NULL;
	struct pagemap map;
	uint64_t offset;

	assert_int_equal(pagemap_read(scratch->store, IMAGE_PAGEMAP, 5, &map), -ENOENT);
	assert_int_equal(pagemap_create(scratch->store, IMAGE_PAGEMAP, 5, 3, &writer), 0);
	assert_int_equal(pagemap_append(writer, 0x1000, 2, PE_PRESENT, &offset), 0);
	assert_int_equal(offset, 0);
	assert_int_equal(pagemap_append(writer, 0x3000, 1, PE_PRESENT, &offset), 0);
	assert_int_equal(offset, 0x2000);
	assert_int_equal(pagemap_append(writer, 0x4000, 1, PE_PARENT, NULL), 0);
	assert_int_equal(pagemap_append(writer, 0x9000, 4, PE_PRESENT | PE_LAZY, &offset), 0);
	assert_int_equal(offset, 0x3000);
	assert_int_equal(pagemap_append(writer, 0x9000, 1, PE_PRESENT, NULL), -EINVAL);
	assert_int_equal(pagemap_finish(&writer), 0);
	failure_reset();

	assert_int_equal(pagemap_read(scratch->store, IMAGE_PAGEMAP, 5, &map), 0);
	assert_int_equal(map.pages_id, 3);
	assert_int_equal(map.n, 3);
	assert_int_equal(map.ranges[0].nr_pages, 3);
	assert_int_equal(map.ranges[1].flags, PE_PARENT);
	assert_int_equal(map.ranges[2].offset, 0x3000);
	assert_int_equal(map.pages_size, 0x7000);
	assert_ptr_equal(pagemap_find(&map, 0), &map.ranges[0]);
	assert_ptr_equal(pagemap_find(&map, 0x3fff), &map.ranges[0]);
	assert_ptr_equal(pagemap_find(&map, 0x4000), &map.ranges[1]);
	assert_ptr_equal(pagemap_find(&map, 0x5000), &map.ranges[2]);
	assert_null(pagemap_find(&map, 0xd000));
	pagemap_done(&map);
}

/* Pages that lie in the file of another task: no data here, and joined only where they are neighbours there, too. */
static void test_pages_elsewhere(void **state)
{
	struct scratch *scratch = *state;
	struct page_range range = { .start = 0x1000, .nr_pages = 1, .flags = PE_ELSEWHERE | PE_LAZY, .there_id = 9 };
	struct pagemap_writer *writer = NULL;
	struct pagemap map;
	uint64_t offset;

	assert_int_equal(pagemap_create(scratch->store, IMAGE_PAGEMAP, 6, 4, &writer), 0);
	range.there = 0x8000;
	assert_int_equal(pagemap_append_range(writer, &range), 0);
	range.start = 0x2000;
	range.there = 0x9000;
	assert_int_equal(pagemap_append_range(writer, &range), 0);
	range.start = 0x3000;
	range.there = 0x1000;
	assert_int_equal(pagemap_append_range(writer, &range), 0);
	assert_int_equal(pagemap_append(writer, 0x4000, 1, PE_PRESENT, &offset), 0);
	assert_int_equal(offset, 0);
	assert_int_equal(pagemap_finish(&writer), 0);

	assert_int_equal(pagemap_read(scratch->store, IMAGE_PAGEMAP, 6, &map), 0);
	assert_int_equal(map.n, 3);
	assert_int_equal(map.ranges[0].flags, PE_ELSEWHERE | PE_LAZY);
	assert_int_equal(map.ranges[0].nr_pages, 2);
	assert_int_equal(map.ranges[0].there_id, 9);
	assert_int_equal(map.ranges[0].there, 0x8000);
	assert_int_equal(map.ranges[1].there, 0x1000);
	assert_int_equal(map.ranges[2].flags, PE_PRESENT);
	assert_int_equal(map.pages_size, 0x1000);
	pagemap_done(&map);
}

/* Writes a pagemap of two entries as they are and reads it. */
static int read_entries(PagemapEntry *first, PagemapEntry *second, struct pagemap *ret)
{
	AUTO(store_close) struct store *store = store_create_memory();
	struct image *image = NULL;
	PagemapHead head = PAGEMAP_HEAD__INIT;

	failure_reset();
	assert_int_equal(image_create(store, &image, IMAGE_PAGEMAP_SHMEM, 7), 0);
	assert_int_equal(image_write(image, &head), 0);
	assert_int_equal(image_write(image, first), 0);
	assert_int_equal(image_write(image, second), 0);
	assert_int_equal(image_finish(&image), 0);
	return pagemap_read(store, IMAGE_PAGEMAP_SHMEM, 7, ret);
}

static void test_pagemap_entries_of_older_versions(void **state)
{
	PagemapEntry first = PAGEMAP_ENTRY__INIT, second = PAGEMAP_ENTRY__INIT;
	struct pagemap map;

	first.compat_nr_pages = 2;
	second.vaddr = 0x2000;
	second.compat_nr_pages = 1;
	second.has_in_parent = second.in_parent = true;
	assert_int_equal(read_entries(&first, &second, &map), 0);
	assert_int_equal(map.ranges[0].flags, PE_PRESENT);
	assert_int_equal(map.ranges[0].nr_pages, 2);
	assert_int_equal(map.ranges[1].flags, PE_PARENT);
	pagemap_done(&map);
}

static void test_pagemaps_that_make_no_sense(void **state)
{
	PagemapEntry first = PAGEMAP_ENTRY__INIT, second = PAGEMAP_ENTRY__INIT;
	struct pagemap map;

	first.compat_nr_pages = 2;
	second.compat_nr_pages = 1;
	second.vaddr = 0x1000;
	assert_int_equal(read_entries(&first, &second, &map), -EINVAL);
	assert_non_null(strstr(failure_text(), "pagemap-shmem-7.img: record 3"));
	second.vaddr = 0x2010;
	assert_int_equal(read_entries(&first, &second, &map), -EINVAL);
	assert_non_null(strstr(failure_text(), "page boundary"));
	second.vaddr = UINT64_MAX - 0xfff;
	second.compat_nr_pages = 2;
	assert_int_equal(read_entries(&first, &second, &map), -EINVAL);
	assert_non_null(strstr(failure_text(), "too long"));
	second.compat_nr_pages = 0;
	assert_int_equal(read_entries(&first, &second, &map), -EINVAL);
	second.compat_nr_pages = 1;
	second.has_flags = true;
	second.flags = 8;
	assert_int_equal(read_entries(&first, &second, &map), -EINVAL);
	second.flags = PE_PARENT | PE_PRESENT;
	assert_int_equal(read_entries(&first, &second, &map), -EINVAL);
}

#define WITH_SCRATCH(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SCRATCH(test_a_file_appears_with_its_first_byte),
		WITH_SCRATCH(test_an_old_file_is_cut),
		WITH_SCRATCH(test_images_are_read_ahead),
		WITH_SCRATCH(test_links_are_not_followed_for_writing),
		WITH_SCRATCH(test_raw_images_have_a_descriptor),
		WITH_SCRATCH(test_big_images),
		WITH_SCRATCH(test_parents),
		WITH_SCRATCH(test_bad_parents),
		WITH_SCRATCH(test_inventory),
		WITH_SCRATCH(test_pagemap),
		WITH_SCRATCH(test_pages_elsewhere),
		cmocka_unit_test(test_a_directory_in_memory),
		cmocka_unit_test(test_inventory_of_criu),
		cmocka_unit_test(test_bad_inventories),
		cmocka_unit_test(test_pagemap_entries_of_older_versions),
		cmocka_unit_test(test_pagemaps_that_make_no_sense),
	};

	return cmocka_run_group_tests(tests, silence_log, NULL);
}
