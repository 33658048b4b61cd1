/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzz target: JSON to images. What an accepted image decodes to must encode, plain and pretty, and from then on to the
 * same bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/io.h"
#include "base/log.h"
#include "base/pool.h"
#include "crit/crit.h"
#include "image/image.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return log_open("/dev/null");
}

/* JSON text to an image in a memory file; -1 if it is refused. */
static int encode(const char *text, size_t size, struct pool *pool)
{
	struct json *json;
	int fd = memfd_create("fuzz", 0);

	must(fd >= 0);
	if (json_read(text, size, pool, &json) == 0 && encode_image(json, fd, "fuzz", pool) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Payloads of another size than the record says are written as they are given: such an image may not be readable. */
static int decode(int fd, bool pretty, struct pool *pool, struct buffer *out)
{
	struct decoding decoding = { .pretty = pretty, .pool = pool };
	AUTO(image_close) struct image *image = NULL;
	uint32_t magic;
	int ret;

	lseek(fd, 0, SEEK_SET);
	ret = image_open_fd(fd, "fuzz", pool, &image, &magic);
	if (ret == 0)
		ret = decode_image(&decoding, image);
	*out = decoding.json.out;
	return ret;
}

static void must_be_equal(int one, int other)
{
	off_t size = lseek(one, 0, SEEK_END);
	char *a = xmalloc((size_t)size + 1), *b = xmalloc((size_t)size + 1);

	must(lseek(other, 0, SEEK_END) == size);
	must(io_pread(one, a, (size_t)size, 0) == size && io_pread(other, b, (size_t)size, 0) == size);
	must(memcmp(a, b, (size_t)size) == 0);
	free(a);
	free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pool *pool = pool_create();
	int first = encode((const char *)data, size, pool);

	for (int pretty = 0; first >= 0 && pretty < 2; pretty++) {
		struct buffer text = { 0 };
		int second = -1, third;

		if (decode(first, pretty, pool, &text) == 0) {
			/* Padding that was left out in the first is there in the second. */
			second = encode(text.data, text.size, pool);
			must(second >= 0);
			buffer_done(&text);
			must(decode(second, pretty, pool, &text) == 0);
			third = encode(text.data, text.size, pool);
			must(third >= 0);
			must_be_equal(second, third);
			close(second);
			close(third);
		}
		buffer_done(&text);
	}
	if (first >= 0)
		close(first);
	pool_destroy(&pool);
	return 0;
}
