/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of compressed blocks: what was put in comes out, any part of it, and no damage goes unseen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "image/blocks/blocks-read.h"
#include "image/blocks/blocks-write.h"
#include "image/blocks/blocks.h"

static int no_cipher(void *arg, const struct cipher **ret)
{
	return -ENOKEY;
}

/* Text that repeats, noise, and zeros, in turns of about a block. */
static unsigned char *make_data(size_t size)
{
	unsigned char *data = xzalloc(size + 1);

	srandom(7);
	for (size_t i = 0; i < size; i++) {
		size_t turn = i / (BLOCK_SIZE + 1000) % 3;

		data[i] = (unsigned char)(turn == 0 ? i % 200 : turn == 1 ? (size_t)random() : 0);
	}
	return data;
}

static int write_file(const unsigned char *data, size_t size, enum codec codec, int level)
{
	const struct block_format format = { .codec = codec, .level = level };
	struct block_writer *writer;
	int fd = memfd_create("blocks", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(block_writer_create(fd, "pages-1.img", &format, &writer), 0);
	/* The last first: the order is free. */
	for (size_t i = (size + BLOCK_SIZE - 1) / BLOCK_SIZE; i-- > 0;) {
		size_t at = i * BLOCK_SIZE;

		assert_int_equal(
			block_writer_put(writer, data + at, size - at < BLOCK_SIZE ? size - at : BLOCK_SIZE, at), 0);
	}
	assert_int_equal(block_writer_finish(&writer, size), 0);
	return fd;
}

static int open_file(int fd, struct block_reader **ret)
{
	const struct block_source source = { .fd = fd };

	return block_reader_open(&source, "pages-1.img", no_cipher, NULL, ret);
}

static void check_parts(struct block_reader *reader, const unsigned char *data, size_t size)
{
	AUTO_FREE unsigned char *part = xmalloc(size + 1);

	assert_int_equal(block_reader_size(reader), size);
	assert_int_equal(block_reader_read(reader, part, size + 1, 0), size);
	assert_memory_equal(part, data, size);
	assert_int_equal(block_reader_read(reader, part, 1, size), 0);
	for (int i = 0; i < 50 && size; i++) {
		size_t from = (size_t)random() % size, length = (size_t)random() % (size - from) + 1;

		assert_int_equal(block_reader_read(reader, part, length, from), length);
		assert_memory_equal(part, data + from, length);
	}
}

static void test_round(void **state)
{
	static const size_t sizes[] = {
		0, 1, 4096, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 7 * BLOCK_SIZE, 9 * BLOCK_SIZE + 5
	};
	static const struct {
		enum codec codec;
		int level;
	} formats[] = { { CODEC_NONE, 0 }, { CODEC_ZSTD, 1 }, { CODEC_ZSTD, 9 }, { CODEC_LZ4, 1 }, { CODEC_LZ4, 9 } };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		AUTO_FREE unsigned char *data = make_data(sizes[i]);

		for (size_t k = 0; k < ARRAY_SIZE(formats); k++) {
			AUTO_CLOSE int fd = write_file(data, sizes[i], formats[k].codec, formats[k].level);
			AUTO(block_reader_close) struct block_reader *reader = NULL;

			assert_int_equal(open_file(fd, &reader), 0);
			check_parts(reader, data, sizes[i]);
		}
	}
}

static void test_zeros_cost_nothing(void **state)
{
	AUTO_FREE unsigned char *data = xzalloc(100 * BLOCK_SIZE);
	AUTO_CLOSE int fd = write_file(data, 100 * BLOCK_SIZE, CODEC_ZSTD, 1);
	AUTO(block_reader_close) struct block_reader *reader = NULL;

	assert_true(lseek(fd, 0, SEEK_END) < 4096);
	assert_int_equal(open_file(fd, &reader), 0);
	check_parts(reader, data, 100 * BLOCK_SIZE);
}

/* Is the file refused, at once or when all of it is read? */
static bool is_refused(int fd, size_t size)
{
	AUTO(block_reader_close) struct block_reader *reader = NULL;
	AUTO_FREE unsigned char *to = xmalloc(size);

	failure_reset();
	return open_file(fd, &reader) < 0 || block_reader_read(reader, to, size, 0) != (ssize_t)size;
}

static void test_every_flipped_byte(void **state)
{
	const size_t size = 3000;
	AUTO_FREE unsigned char *data = make_data(size);
	AUTO_CLOSE int fd = write_file(data, size, CODEC_ZSTD, 1);
	off_t end = lseek(fd, 0, SEEK_END);

	for (off_t at = 0; at < end; at++) {
		unsigned char old, flipped;

		assert_int_equal(io_pread(fd, &old, 1, at), 1);
		flipped = old ^ (unsigned char)(1 << at % 8);
		assert_int_equal(io_pwrite(fd, &flipped, 1, at), 0);
		assert_true(is_refused(fd, size));
		assert_int_equal(io_pwrite(fd, &old, 1, at), 0);
	}
	assert_false(is_refused(fd, size));
}

static void test_every_length(void **state)
{
	const size_t size = 3000;
	AUTO_FREE unsigned char *data = make_data(size);
	AUTO_CLOSE int fd = write_file(data, size, CODEC_LZ4, 1);

	for (off_t end = lseek(fd, 0, SEEK_END) - 1; end >= 0; end--) {
		assert_int_equal(ftruncate(fd, end), 0);
		assert_true(is_refused(fd, size));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_zeros_cost_nothing),
		cmocka_unit_test(test_every_flipped_byte),
		cmocka_unit_test(test_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
