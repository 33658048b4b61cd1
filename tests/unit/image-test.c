/* SPDX-License-Identifier: GPL-2.0-only */
/* Images: real ones are read and written again byte by byte; damaged ones are refused with a useful message. */
#include "image-test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "fs.pb-c.h"
#include "ghost-file.pb-c.h"
#include "image/payload.h"
#include "image/record.h"
#include "image/store-memory.h"
#include "image/store.h"
#include "image/table.h"
#include "pipe-data.pb-c.h"
#include "pstree.pb-c.h"
#include "tty.pb-c.h"

/* Reads all records and payloads of one image in a memory store; copies them to another store unless NULL. */
static int read_all(struct store *from, const char *name, struct store *to)
{
	AUTO(image_close) struct image *in = NULL;
	AUTO(image_close) struct image *out = NULL;
	ProtobufCMessage *record;
	enum image_id id;
	uint64_t number;
	int more;

	assert_int_equal(image_parse_name(name, &id, &number), 0);
	TRY(image_open(from, &in, id, number));
	if (to)
		TRY(image_create(to, &out, id, number));
	while ((more = image_read(in, &record)) > 0) {
		size_t size;
		void *payload;

		TRY(image_read_payload(in, &payload, &size));
		if (!out)
			continue;
		TRY(image_write_message(out, record));
		TRY(image_write_bytes(out, payload, size));
	}
	TRY(more);
	return out ? image_finish(&out) : 0;
}

static void check_round_trip(const char *name, const char *data, size_t size)
{
	AUTO(store_close) struct store *from = store_create_memory();
	AUTO(store_close) struct store *to = store_create_memory();
	const void *again;
	size_t again_size;

	store_add_file(from, name, data, size);
	assert_int_equal(read_all(from, name, to), 0);
	again = store_find_file(to, name, &again_size);
	assert_non_null(again);
	assert_int_equal(again_size, size);
	assert_memory_equal(again, data, size);
}

static void test_real_images_survive_a_round_trip(void **state)
{
	assert_in_range(for_each_fixture(check_round_trip), 90, 1000);
	assert_string_equal(failure_text(), "");
}

/* Whether a file that ends at this offset is whole: only after a record with its payload. */
static bool is_boundary(const char *name, const char *data, size_t size, size_t end)
{
	AUTO(store_close) struct store *store = store_create_memory();
	AUTO(image_close) struct image *image = NULL;
	ProtobufCMessage *record;
	enum image_id id;
	uint64_t number;

	store_add_file(store, name, data, size);
	assert_int_equal(image_parse_name(name, &id, &number), 0);
	assert_int_equal(image_open(store, &image, id, number), 0);
	for (size_t at = image_kind(id)->head ? 8 : 4; at <= end;) {
		uint32_t length;

		if (at == end)
			return true;
		assert_int_equal(image_read(image, &record), 1);
		if (image_payload_left(image) == IMAGE_TO_THE_END)
			return true;
		memcpy(&length, data + at, sizeof(length));
		at += sizeof(length) + length + image_payload_left(image);
	}
	return false;
}

static void check_truncated(const char *name, const char *data, size_t size)
{
	enum image_id id;
	uint64_t number;

	assert_int_equal(image_parse_name(name, &id, &number), 0);
	for (size_t end = 0; end < size && size < 1200; end++) {
		AUTO(store_close) struct store *store = store_create_memory();
		int ret;

		failure_reset();
		store_add_file(store, name, data, end);
		ret = read_all(store, name, NULL);
		if (ret == 0 && image_kind(id)->shape == SHAPE_NESTED && end > 8)
			fail_with("%s cut at %zu is accepted", name, end);
		if (ret == 0 && !is_boundary(name, data, size, end))
			fail_with("%s cut at %zu is accepted", name, end);
		if (ret < 0 && !strstr(failure_text(), name))
			fail_with("%s cut at %zu: the message does not name it: %s", name, end, failure_text());
	}
}

static void test_a_truncated_image_is_refused(void **state)
{
	assert_in_range(for_each_fixture(check_truncated), 90, 1000);
}

/* Every bit of some bytes, and nonsense lengths: whatever happens, an error names the image. */
static void check_garbled(const char *name, const char *data, size_t size)
{
	uint32_t random = 12345;

	for (unsigned round = 0; round < 50; round++) {
		AUTO(store_close) struct store *store = store_create_memory();
		AUTO_FREE char *garbled = xmalloc(size);

		memcpy(garbled, data, size);
		for (unsigned i = 0; i <= round % 4; i++) {
			random = random * 1103515245 + 12345;
			garbled[(random >> 8) % size] ^= (char)(1 << (random >> 5) % 8);
		}
		failure_reset();
		store_add_file(store, name, garbled, size);
		if (read_all(store, name, NULL) < 0 && !strstr(failure_text(), name))
			fail_with("%s: the message does not name it: %s", name, failure_text());
	}
}

static void test_a_garbled_image_does_no_harm(void **state)
{
	assert_in_range(for_each_fixture(check_garbled), 90, 1000);
}

/* Reads these bytes as an image; the message must contain the text. */
static void expect_refused(const char *name, const void *data, size_t size, const char *text)
{
	AUTO(store_close) struct store *store = store_create_memory();

	failure_reset();
	store_add_file(store, name, data, size);
	assert_true(read_all(store, name, NULL) < 0);
	if (!strstr(failure_text(), text))
		fail_with("%s: \"%s\" is not in \"%s\"", name, text, failure_text());
}

static void test_messages_name_record_and_offset(void **state)
{
	static const uint32_t oversized[] = { IMAGE_HEAD_COMMON, 0x50273030, 0, 0x7fffffff };
	static const uint32_t wrong[] = { IMAGE_HEAD_COMMON, 0x12345678 };
	static const uint32_t missing[] = { IMAGE_HEAD_COMMON, 0x50273030, 0 };
	static const uint32_t inventory[] = { 0x58313116, 0 };

	expect_refused("pstree.img", "", 0, "pstree.img: damaged: ends within its head");
	expect_refused("pstree.img", wrong, sizeof(wrong), "the type magic is 0x12345678 instead of 0x50273030");
	expect_refused("pstree.img", missing, sizeof(missing),
		       "pstree.img: record 1 at offset 8: damaged: is no pstree_entry");
	expect_refused("pstree.img", oversized, sizeof(oversized), "record 1 at offset 8: damaged: is no");
	expect_refused("irmap-cache", missing, sizeof(missing), "irmap-cache: is no IRMAP_CACHE image");
	expect_refused("inventory.img", inventory, 8,
		       "inventory.img: record 1 at offset 4: damaged: is no inventory_entry");
}

static void test_oversized_record(void **state)
{
	static const uint32_t oversized[] = { IMAGE_HEAD_COMMON, 0x50273030, IMAGE_RECORD_MAX + 1, 0 };
	static const uint32_t cut[] = { IMAGE_HEAD_COMMON, 0x50273030, IMAGE_RECORD_MAX, 0 };

	expect_refused("pstree.img", oversized, sizeof(oversized),
		       "record 1 at offset 8: damaged: a length of 67108865");
	expect_refused("pstree.img", cut, sizeof(cut),
		       "record 1 at offset 8: truncated: 4 bytes of 67108864 are there");
}

/* Version 1.0 has no head words; the inventory tells, and what it tells is law. */
static void test_images_of_version_1_0(void **state)
{
	AUTO(store_close) struct store *store = store_create_memory();
	FsEntry fs = FS_ENTRY__INIT, *read;
	const char *data;
	size_t size;

	fs.cwd_id = 7;
	assert_int_equal(image_write_one(store, IMAGE_FS, &fs, 5), 0);
	data = store_find_file(store, "fs-5.img", &size);
	store_add_file(store, "fs-6.img", data + 4, size - 4);

	assert_int_equal(image_read_one(store, IMAGE_FS, &read, 6), 0);
	assert_int_equal(read->cwd_id, 7);
	store_set_version(store, 1);
	assert_int_equal(image_read_one(store, IMAGE_FS, &read, 6), 0);
	assert_true(image_read_one(store, IMAGE_FS, &read, 5) < 0);
	store_set_version(store, 2);
	assert_int_equal(image_read_one(store, IMAGE_FS, &read, 5), 0);
	assert_true(image_read_one(store, IMAGE_FS, &read, 6) < 0);
	assert_int_equal(image_read_one(store, IMAGE_FS, &read, 77), -ENOENT);
}

static void test_one_record_only(void **state)
{
	AUTO(store_close) struct store *store = store_create_memory();
	AUTO(image_close) struct image *image = NULL;
	FsEntry fs = FS_ENTRY__INIT, *read;

	assert_int_equal(image_create(store, &image, IMAGE_FS, 1), 0);
	assert_int_equal(image_write(image, &fs), 0);
	assert_int_equal(image_write(image, &fs), 0);
	assert_int_equal(image_finish(&image), 0);
	assert_true(image_read_one(store, IMAGE_FS, &read, 1) < 0);
	assert_non_null(strstr(failure_text(), "fs-1.img: record 2 at offset 16: this image has one record only"));
}

static void test_payload_is_skipped_or_read_in_pieces(void **state)
{
	AUTO(store_close) struct store *store = store_create_memory();
	AUTO(image_close) struct image *image = NULL;
	PipeDataEntry pipe = PIPE_DATA_ENTRY__INIT, *read;
	char *content = xzalloc(300000), piece[1000];

	memset(content, 'x', 300000);
	pipe.bytes = 300000;
	assert_int_equal(image_create(store, &image, IMAGE_PIPES_DATA), 0);
	for (pipe.pipe_id = 1; pipe.pipe_id <= 3; pipe.pipe_id++) {
		assert_int_equal(image_write(image, &pipe), 0);
		assert_int_equal(image_write_bytes(image, content, 300000), 0);
	}
	assert_int_equal(image_finish(&image), 0);
	free(content);

	assert_int_equal(image_open(store, &image, IMAGE_PIPES_DATA), 0);
	assert_int_equal(image_read(image, &read), 1);
	assert_int_equal(image_read(image, &read), 1);
	assert_int_equal(read->pipe_id, 2);
	assert_int_equal(image_read_bytes(image, piece, sizeof(piece)), 0);
	assert_int_equal(piece[999], 'x');
	assert_int_equal(image_payload_left(image), 299000);
	assert_int_equal(image_read(image, &read), 1);
	assert_int_equal(read->pipe_id, 3);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(image_read_some(image, piece, sizeof(piece)), 1000);
	assert_int_equal(image_read_some(image, piece, sizeof(piece)), 0);
	assert_true(image_read_bytes(image, piece, 1) < 0);
	assert_int_equal(image_read(image, &read), 0);
}

static void test_names(void **state)
{
	enum image_id id;
	uint64_t number;
	char name[64];

	image_print_name(IMAGE_CORE, 4711, name, sizeof(name));
	assert_string_equal(name, "core-4711.img");
	image_print_name(IMAGE_GHOST_FILE, 0x1f, name, sizeof(name));
	assert_string_equal(name, "ghost-file-1f.img");
	for (unsigned i = 0; i < IMAGE_COUNT; i++) {
		image_print_name(i, 255, name, sizeof(name));
		assert_int_equal(image_parse_name(name, &id, &number), 0);
		assert_int_equal(id, i);
		assert_int_equal(number, strchr(image_kind(i)->file, '%') ? 255 : 0);
	}
	assert_int_equal(image_parse_name("core-.img", &id, &number), -ENOENT);
	assert_int_equal(image_parse_name("core-07.img", &id, &number), -ENOENT);
	assert_int_equal(image_parse_name("core--7.img", &id, &number), -ENOENT);
	assert_int_equal(image_parse_name("core-1.img.bak", &id, &number), -ENOENT);
	assert_int_equal(image_find_magic(0x55053847), IMAGE_CORE);
	assert_int_equal(image_find_magic(0), IMAGE_COUNT);
	assert_int_equal(image_find_crit("MNTS"), IMAGE_MOUNTPOINTS);
}

/* By its magic an image in a descriptor is known: two rows have the same one only if they have the same records. */
static void test_magics(void **state)
{
	for (enum image_id i = 0; i < IMAGE_COUNT; i++) {
		const struct image_kind *one = image_kind(i);

		for (enum image_id k = 0; k < i; k++) {
			const struct image_kind *other = image_kind(k);

			assert_string_not_equal(one->file, other->file);
			if (!one->magic || !other->magic)
				continue;
			if (one->magic == other->magic) {
				assert_string_equal(one->crit, other->crit);
				assert_ptr_equal(one->record, other->record);
				assert_ptr_equal(one->item, other->item);
			} else {
				assert_string_not_equal(one->crit, other->crit);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_real_images_survive_a_round_trip, forget_failure),
		cmocka_unit_test_setup(test_a_truncated_image_is_refused, forget_failure),
		cmocka_unit_test_setup(test_a_garbled_image_does_no_harm, forget_failure),
		cmocka_unit_test_setup(test_messages_name_record_and_offset, forget_failure),
		cmocka_unit_test_setup(test_oversized_record, forget_failure),
		cmocka_unit_test_setup(test_images_of_version_1_0, forget_failure),
		cmocka_unit_test_setup(test_one_record_only, forget_failure),
		cmocka_unit_test_setup(test_payload_is_skipped_or_read_in_pieces, forget_failure),
		cmocka_unit_test_setup(test_names, forget_failure),
		cmocka_unit_test_setup(test_magics, forget_failure),
	};

	return cmocka_run_group_tests(tests, silence_log, NULL);
}
