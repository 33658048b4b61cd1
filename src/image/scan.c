/* SPDX-License-Identifier: GPL-2.0-only */
/* Looking through a whole image for damage. */
#include "image/scan.h"

#include "image/blocks/blocks-read.h"
#include "image/backend.h"

#include <sys/stat.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "image/record.h"
#include "image/table.h"

static int read_all(struct image *image)
{
	ProtobufCMessage *record;
	int more = 1, first = 0;

	while (more > 0 || more == -EBADMSG) {
		more = image_read_malloc(image, &record);
		if (more > 0)
			protobuf_c_message_free_unpacked(record, NULL);
		else if (more < 0 && !first)
			first = more;
	}
	return first;
}

/* Each block has a sum. */
static int read_all_blocks(struct image *image)
{
	AUTO_FREE char *buffer = xmalloc(BLOCK_SIZE);
	ssize_t got;

	for (uint64_t at = 0; (got = block_reader_read(image->blocks, buffer, BLOCK_SIZE, at)) > 0; at += BLOCK_SIZE)
		;
	return (int)got;
}

int image_scan(struct store *store, enum image_id id, uint64_t number, struct image_contents *ret)
{
	AUTO(image_close) struct image *image = NULL;
	struct stat stat;
	int result;

	TRY(image_open_number(store, &image, id, (struct image_number){ number }));
	ret->size = image->borrowed				     ? image->capacity
		    : image->fd >= 0 && fstat(image->fd, &stat) == 0 ? (uint64_t)stat.st_size
								     : 0;
	if (!image->kind->magic)
		return image->blocks ? read_all_blocks(image) : 0;
	result = read_all(image);
	ret->records = image->n_records;
	if (!result && !ret->records && image->kind->shape == SHAPE_ONE)
		return refuse(EINVAL, "%s: damaged: has no record", image->name);
	return result;
}
