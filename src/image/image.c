/* SPDX-License-Identifier: GPL-2.0-only */
/* Images come and go: open, check the head, create, finish, close. */
#include "image/blocks/blocks-read.h"
#include "image/blocks/blocks-write.h"
#include "image/blocks/store-blocks.h"
#include "image/backend.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "image/payload.h"
#include "image/stream.h"
#include "image/table.h"

static struct image *make_image(enum image_id id, const char *name)
{
	struct image *image = xzalloc(sizeof(*image));

	image->id = id;
	image->kind = id < IMAGE_COUNT ? image_kind(id) : NULL;
	image->fd = -1;
	snprintf(image->name, sizeof(image->name), "%s", name);
	return image;
}

void image_close(struct image **image)
{
	struct image *gone = *image;

	if (!gone)
		return;
	block_reader_close(&gone->blocks);
	block_writer_abandon(&gone->writer);
	if (gone->fd >= 0 && !gone->caller_fd)
		close(gone->fd);
	if (!gone->borrowed)
		free(gone->buffer);
	free(gone);
	*image = NULL;
}

enum image_id image_get_id(const struct image *image)
{
	return image->id;
}

const char *image_get_name(const struct image *image)
{
	return image->name;
}

/* The next word of a file that begins; 0 words are left when the file ends here. Returns 1 or 0. */
static int read_word(struct image *image, uint32_t *ret)
{
	TRY(image_fill(image, sizeof(*ret)));
	if (image_waiting(image) < sizeof(*ret))
		return 0;
	memcpy(ret, image->buffer + image->start, sizeof(*ret));
	image_take(image, sizeof(*ret));
	return 1;
}

/* The first word of all; of what the blocks hold, if the file is one of blocks. */
static int read_first_word(struct image *image, uint32_t *ret)
{
	int more = read_word(image, ret);

	if (more > 0 && *ret == BLOCKS_MAGIC) {
		TRY(image_open_blocks(image));
		more = read_word(image, ret);
	}
	return more;
}

/* The head word, unless the whole checkpoint is of version 1.0, and the type magic. */
static int read_head(struct image *image)
{
	const struct image_kind *kind = image->kind;
	int version = image->store ? image->store->version : 0;
	uint32_t word;
	int more = read_first_word(image, &word);

	if (more > 0 && kind->head && word == kind->head && version != 1)
		more = read_word(image, &word);
	else if (more > 0 && kind->head && version == 2)
		return refuse(EINVAL, "%s: damaged: begins with %#x instead of the head %#x", image->name, word,
			      kind->head);
	TRY(more);
	if (!more)
		return refuse(EINVAL, "%s: damaged: ends within its head", image->name);
	if (word != kind->magic)
		return refuse(EINVAL, "%s: is no %s image: the type magic is %#x instead of %#x", image->name,
			      kind->crit, word, kind->magic);
	return 0;
}

int image_open_number(struct store *store, struct image **ret, enum image_id id, struct image_number number)
{
	AUTO(image_close) struct image *image = NULL;
	char name[IMAGE_NAME];

	image_print_name(id, number.number, name, sizeof(name));
	image = make_image(id, name);
	image->store = store;
	image->pool = store->pool;
	TRY(store->ops->open(store, image));
	if (image->kind->magic) {
		TRY(read_head(image));
	} else {
		TRY(image_probe_blocks(image));
		image->payload_left = IMAGE_TO_THE_END;
	}
	*ret = TAKE_PTR(image);
	return 0;
}

int image_create_number(struct store *store, struct image **ret, enum image_id id, struct image_number number)
{
	char name[IMAGE_NAME];

	image_print_name(id, number.number, name, sizeof(name));
	*ret = make_image(id, name);
	(*ret)->store = store;
	(*ret)->writing = true;
	return 0;
}

int image_open_fd(int fd, const char *name, struct pool *pool, struct image **ret, uint32_t *ret_magic)
{
	AUTO(image_close) struct image *image = make_image(IMAGE_COUNT, name);
	uint32_t head = 0, word = 0;
	int more;

	image->fd = fd;
	image->caller_fd = true;
	image->pool = pool;
	more = read_first_word(image, &word);
	if (more > 0 && (word == IMAGE_HEAD_COMMON || word == IMAGE_HEAD_SERVICE)) {
		head = word;
		more = read_word(image, &word);
	}
	TRY(more);
	if (!more)
		return refuse(EINVAL, "%s: damaged: ends within its head", name);
	*ret_magic = word;
	image->id = image_find_magic(word);
	if (image->id == IMAGE_COUNT)
		return -EBADMSG;
	image->kind = image_kind(image->id);
	if (head && head != image->kind->head)
		return refuse(EINVAL, "%s: damaged: a %s image with the head %#x", name, image->kind->crit, head);
	*ret = TAKE_PTR(image);
	return 0;
}

int image_create_fd(int fd, const char *name, enum image_id id, struct image **ret)
{
	*ret = make_image(id, name);
	(*ret)->fd = fd;
	(*ret)->caller_fd = (*ret)->writing = true;
	return 0;
}

static int finish_writing(struct image *image)
{
	int fd = image->fd;

	if (!image->started)
		return image->store ? image->store->ops->remove(image->store, image->name) : 0;
	TRY(image_flush(image));
	if (image->store && image->store->ops->finish)
		TRY(image->store->ops->finish(image->store, image));
	if (fd < 0 || image->caller_fd)
		return 0;
	image->fd = -1;
	/* Network and quota file systems report late write errors here. */
	return close(fd) < 0 ? fail_errno("%s: cannot write", image->name) : 0;
}

int image_finish(struct image **image)
{
	int error = 0;

	if (*image && (*image)->writing)
		error = finish_writing(*image);
	image_close(image);
	return error;
}

/* An image in memory as a file, for those who need a descriptor. */
static int make_memory_file(struct image *image)
{
	int fd = memfd_create(image->name, MFD_CLOEXEC), ret;

	if (fd < 0)
		return fail_errno("%s: cannot make a memory file", image->name);
	ret = image->end ? io_write(fd, image->buffer, image->end) : 0;
	if (ret < 0) {
		close(fd);
		return fail(-ret, "%s: cannot write", image->name);
	}
	image->fd = fd;
	return 0;
}

int image_fd(struct image *image)
{
	if (image->writing) {
		TRY(image_start(image));
		if (image->fd < 0 && image->store && image->store->ops->place)
			TRY(image->store->ops->place(image->store, image));
		TRY(image_flush(image));
	}
	if (image->blocks)
		TRY(image_unpack_blocks(image));
	if (image->fd < 0) {
		TRY(make_memory_file(image));
		if (image->writing)
			image->end = 0;
	}
	return image->fd;
}

int image_refuse(struct image *image, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return refuse(EINVAL, "%s: record %u at offset %" PRIu64 ": %s", image->name, image->n_records,
		      image->record_at, text);
}
