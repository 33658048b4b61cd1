/* SPDX-License-Identifier: GPL-2.0-only */
/* Records: a 32-bit length and a packed message, in both directions. Limits are checked here and nowhere else. */
#include "image/record.h"

#include "image/backend.h"

#include <inttypes.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"

#include "image/payload.h"
#include "image/stream.h"
#include "image/table.h"
#include "ipc-msg.pb-c.h"

#define LARGE	512
#define N_LARGE 16

/* Members of a record. What the library needs for itself while it reads is larger than most, and it lets go of it. */
struct members {
	struct pool *pool;
	unsigned n;
	struct large {
		void *at;
		size_t size;
	} large[N_LARGE]; /* the last ones */
};

static void *allocate_member(void *arg, size_t size)
{
	struct members *members = arg;
	void *p = pool_alloc(members->pool, size);

	if (size >= LARGE)
		members->large[members->n++ % N_LARGE] = (struct large){ p, size };
	return p;
}

static void forget_member(void *arg, void *p)
{
	struct members *members = arg;

	for (unsigned i = 0; i < N_LARGE && p; i++) {
		if (members->large[i].at != p)
			continue;
		pool_give_back(members->pool, p, members->large[i].size);
		members->large[i].at = NULL;
	}
}

int image_skip_payload(struct image *image)
{
	uint64_t left = image->payload_left, skipped;

	if (!left)
		return 0;
	TRY(image_skip(image, left, &skipped));
	image->payload_left = 0;
	if (left != IMAGE_TO_THE_END && skipped < left)
		return image_refuse(image, "truncated: %" PRIu64 " bytes of its payload are missing", left - skipped);
	return 0;
}

/* Which record comes now; NULL: none may come. */
static const ProtobufCMessageDescriptor *next_descriptor(const struct image *image)
{
	switch (image->kind->shape) {
	case SHAPE_ONE:
		return image->n_records ? NULL : image->kind->record;
	case SHAPE_MANY:
		return image->kind->record;
	case SHAPE_HEADED:
		return image->n_records ? image->kind->item : image->kind->record;
	case SHAPE_NESTED:
		return image->items_left ? image->kind->item : image->kind->record;
	case SHAPE_RAW:
		break;
	}
	return NULL;
}

/* The file is at the end of a record: nothing more comes, if that makes sense. Returns 0. */
static int end_records(struct image *image)
{
	if (image->items_left)
		return image_refuse(image, "truncated: %u records that belong to it are missing", image->items_left);
	return 0;
}

/* Brings the packed record into the buffer. Returns 1, 0 at the end. */
static int fetch_record(struct image *image, uint32_t *ret_size)
{
	uint32_t size;

	TRY(image_fill(image, sizeof(size)));
	if (!image_waiting(image))
		return 0;
	image->record_at = image->at;
	image->n_records++;
	if (image_waiting(image) < sizeof(size))
		return image_refuse(image, "truncated within its length");
	if (image->n_records > IMAGE_RECORDS_MAX)
		return image_refuse(image, "more than %u records", IMAGE_RECORDS_MAX);
	memcpy(&size, image->buffer + image->start, sizeof(size));
	if (size > IMAGE_RECORD_MAX)
		return image_refuse(image, "damaged: a length of %u, at most %u is allowed", size, IMAGE_RECORD_MAX);
	image_take(image, sizeof(size));
	TRY(image_fill(image, size));
	if (image_waiting(image) < size)
		return image_refuse(image, "truncated: %zu bytes of %u are there", image_waiting(image), size);
	*ret_size = size;
	return 1;
}

/* Brings the next packed record into the buffer. Returns 1, 0 at the end. */
static int find_record(struct image *image, const ProtobufCMessageDescriptor **ret, uint32_t *ret_size)
{
	int more;

	TRY(image_skip_payload(image));
	*ret = next_descriptor(image);
	more = fetch_record(image, ret_size);
	if (more <= 0)
		return more ?: end_records(image);
	return *ret ? 1 : image_refuse(image, "this image has one record only");
}

static int unpack_record(struct image *image, const ProtobufCMessageDescriptor *descriptor, uint32_t size,
			 ProtobufCAllocator *allocator, void *ret_record)
{
	ProtobufCMessage *record = protobuf_c_message_unpack(descriptor, allocator, size, image->buffer + image->start);

	image_take(image, size);
	if (!record) {
		(void)image_refuse(image, "damaged: is no %s", descriptor->name);
		/*
		 * Its frame is whole: the next one can be found, unless there may be something in between, or it is the
		 * first one of the endless many that a hole in the file holds.
		 */
		return !size || image->kind->shape == SHAPE_NESTED || image_has_payload(descriptor) ? -EINVAL
												    : -EBADMSG;
	}
	if (image_payload_of(image, record, &image->payload_left) < 0) {
		protobuf_c_message_free_unpacked(record, allocator);
		return -EINVAL;
	}
	if (image->kind->shape == SHAPE_NESTED)
		image->items_left =
			descriptor == image->kind->item ? image->items_left - 1 : ((IpcMsgEntry *)record)->qnum;
	/* The caller's variable points to some generated struct: copy, a pointer of another type must not be stored to.
	 */
	memcpy(ret_record, &record, sizeof(record));
	return 1;
}

static int read_record(struct image *image, ProtobufCAllocator *allocator, void *ret_record)
{
	const ProtobufCMessageDescriptor *descriptor;
	uint32_t size;
	int more = find_record(image, &descriptor, &size);

	return more > 0 ? unpack_record(image, descriptor, size, allocator, ret_record) : more;
}

int image_read(struct image *image, void *ret_record)
{
	struct members members = { .pool = image->pool };
	ProtobufCAllocator allocator = { .alloc = allocate_member, .free = forget_member, .allocator_data = &members };

	return read_record(image, &allocator, ret_record);
}

int image_read_malloc(struct image *image, void *ret_record)
{
	return read_record(image, NULL, ret_record);
}

int image_read_packed(struct image *image, image_take_packed *take, void *arg, void *ret_record)
{
	const ProtobufCMessageDescriptor *descriptor;
	uint32_t size;
	int more = find_record(image, &descriptor, &size);

	if (more <= 0)
		return more;
	if (descriptor != image->kind->item || !take(arg, (const uint8_t *)image->buffer + image->start, size))
		return unpack_record(image, descriptor, size, NULL, ret_record);
	image_take(image, size);
	return 2;
}

int image_read_one_number(struct store *store, enum image_id id, void *ret_record, struct image_number number)
{
	AUTO(image_close) struct image *image = NULL;
	ProtobufCMessage *second;
	int more;

	TRY(image_open_number(store, &image, id, number));
	more = image_read(image, ret_record);
	if (more == 0)
		return refuse(EINVAL, "%s: damaged: has no record", image->name);
	TRY(more);
	return image->kind->shape == SHAPE_ONE ? image_read(image, &second) : 0;
}

/* Room for a record, with its length in front. */
static int reserve_record(struct image *image, uint32_t size, unsigned char **ret)
{
	unsigned char *to;

	TRY(image_start(image));
	TRY(image_reserve(image, sizeof(size) + size, (void **)&to));
	memcpy(to, &size, sizeof(size));
	image->end += sizeof(size) + size;
	image->n_records++;
	*ret = to + sizeof(size);
	return 0;
}

int image_write_packed(struct image *image, const uint8_t *packed, size_t size)
{
	unsigned char *to;

	TRY(reserve_record(image, (uint32_t)size, &to));
	memcpy(to, packed, size);
	return 0;
}

int image_write_message(struct image *image, const ProtobufCMessage *record)
{
	size_t packed = protobuf_c_message_get_packed_size(record);
	unsigned char *to;

	if (record->descriptor != image->kind->record && record->descriptor != image->kind->item)
		return refuse(EINVAL, "%s: a %s does not belong here", image->name, record->descriptor->name);
	if (packed > IMAGE_RECORD_MAX)
		return refuse(EFBIG, "%s: a %s of %zu bytes, at most %u is allowed", image->name,
			      record->descriptor->name, packed, IMAGE_RECORD_MAX);
	TRY(reserve_record(image, (uint32_t)packed, &to));
	protobuf_c_message_pack(record, to);
	return 0;
}

int image_write_one_number(struct store *store, enum image_id id, const ProtobufCMessage *record,
			   struct image_number number)
{
	AUTO(image_close) struct image *image = NULL;

	TRY(image_create_number(store, &image, id, number));
	TRY(image_write_message(image, record));
	return image_finish(&image);
}

int image_write_head(struct image *image)
{
	return image_start(image);
}
