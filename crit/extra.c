/* SPDX-License-Identifier: GPL-2.0-only */
/* The member "extra": the bytes that follow a record, each image in its own shape. */
#include "crit/crit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "crit/text.h"
#include "crit/values.h"
#include "image/image.h"

#include "ghost-file.pb-c.h"
#include "image/payload.h"
#include "image/record.h"
#include "ipc-msg.pb-c.h"
#include "ipc-sem.pb-c.h"
#include "ipc-shm.pb-c.h"
#include "tcp-stream.pb-c.h"

struct extra {
	enum image_id id;
	/* Writes the value of "extra". */
	int (*decode)(struct decoding *decoding, struct image *image, const ProtobufCMessage *record);
	/* Writes the payload that the value holds. */
	int (*encode)(const struct json *value, struct image *image, const ProtobufCMessage *record, struct pool *pool);
};

static void write_base64(struct decoding *decoding, const void *data, size_t size)
{
	struct buffer text = { 0 };

	base64_encode(&text, data, size);
	json_write_text(&decoding->json, text.data, text.size);
	buffer_done(&text);
}

static int want_text(const struct json *value)
{
	if (value->type != JSON_TEXT)
		return refuse(EINVAL, "line %u: a text is wanted, this is %s", value->line, json_type_name(value));
	return 0;
}

static int refuse_base64(const struct json *value)
{
	return refuse(EINVAL, "line %u: not base64", value->line);
}

static int read_base64(const struct json *value, struct pool *pool, void **ret, size_t *ret_size)
{
	TRY(want_text(value));
	return base64_decode(pool, value->text, value->size, ret, ret_size) < 0 ? refuse_base64(value) : 0;
}

#define PIECE (BASE64_LINE * 4096) /* of a payload, which may be larger than memory has room for twice */

/* The next bytes of the payload, `wanted` at most, as a text. */
static int decode_piecewise(struct decoding *decoding, struct image *image, uint64_t wanted)
{
	AUTO(buffer_done) struct buffer text = { 0 };
	char *piece = pool_alloc(decoding->pool, PIECE);
	ssize_t got = PIECE;

	json_begin_text(&decoding->json);
	while (wanted && got == PIECE) {
		got = image_read_some(image, piece, wanted < PIECE ? wanted : PIECE);
		TRY(got);
		text.size = 0;
		base64_encode(&text, piece, (size_t)got);
		json_add_text(&decoding->json, text.data, text.size);
		wanted -= (uint64_t)got;
	}
	json_end_text(&decoding->json);
	return 0;
}

/* All of it; whether it is cut off is seen when it is passed over. */
static int decode_bytes(struct decoding *decoding, struct image *image, const ProtobufCMessage *record)
{
	return decode_piecewise(decoding, image, image_payload_left(image));
}

static int encode_piecewise(const struct json *value, struct image *image, size_t *ret_size)
{
	struct base64_reader reader = { 0 };
	AUTO(buffer_done) struct buffer bytes = { 0 };

	TRY(want_text(value));
	for (size_t at = 0; at < value->size; at += PIECE) {
		bytes.size = 0;
		if (base64_read(&reader, value->text + at, value->size - at < PIECE ? value->size - at : PIECE,
				&bytes) < 0)
			return refuse_base64(value);
		TRY(image_write_bytes(image, bytes.data, bytes.size));
		*ret_size += bytes.size;
	}
	return base64_end(&reader) < 0 ? refuse_base64(value) : 0;
}

static int encode_bytes(const struct json *value, struct image *image, const ProtobufCMessage *record,
			struct pool *pool)
{
	size_t size = 0;

	return encode_piecewise(value, image, &size);
}

static int decode_tcp(struct decoding *decoding, struct image *image, const ProtobufCMessage *record)
{
	const TcpStreamEntry *tcp = (const TcpStreamEntry *)record;
	void *data;
	size_t size;

	TRY(image_read_payload(image, &data, &size));
	json_open(&decoding->json, '{');
	json_key(&decoding->json, "inq");
	write_base64(decoding, data, tcp->inq_len);
	json_key(&decoding->json, "outq");
	write_base64(decoding, (char *)data + tcp->inq_len, tcp->outq_len);
	json_close(&decoding->json, '}');
	return 0;
}

static int encode_tcp(const struct json *value, struct image *image, const ProtobufCMessage *record, struct pool *pool)
{
	static const char *const queues[] = { "inq", "outq" };

	for (unsigned i = 0; i < 2; i++) {
		const struct json *queue = json_find(value, queues[i]);

		if (queue)
			TRY(encode_bytes(queue, image, record, pool));
	}
	return 0;
}

static int decode_semaphores(struct decoding *decoding, struct image *image, const ProtobufCMessage *record)
{
	uint32_t n = ((const IpcSemEntry *)record)->nsems;
	void *data;
	size_t size;

	TRY(image_read_payload(image, &data, &size));
	json_open(&decoding->json, '[');
	for (uint32_t i = 0; i < n; i++)
		json_printf(&decoding->json, "%u", ((const uint16_t *)data)[i]);
	json_close(&decoding->json, ']');
	return 0;
}

static int encode_semaphores(const struct json *value, struct image *image, const ProtobufCMessage *record,
			     struct pool *pool)
{
	for (const struct json *item = value->first; item; item = item->next) {
		struct integer number = { 0 };
		uint16_t semaphore;

		TRY(integer_read(item, NULL, "", &number));
		semaphore = (uint16_t)number.value;
		if (semaphore != number.value)
			return refuse(ERANGE, "line %u: a semaphore has 16 bits", item->line);
		TRY(image_write_bytes(image, &semaphore, sizeof(semaphore)));
	}
	return image_write_padding(image, value->n * sizeof(uint16_t), 8);
}

/* A flat list: message, text, message, text, ... */
static int decode_messages(struct decoding *decoding, struct image *image, const ProtobufCMessage *record)
{
	json_open(&decoding->json, '[');
	for (uint32_t left = ((const IpcMsgEntry *)record)->qnum; left; left--) {
		const IpcMsg *message;
		void *data;
		size_t size;
		int more = image_read(image, &message);

		TRY(more);
		if (!more)
			return image_refuse(image, "truncated: %u messages are missing", left);
		json_open(&decoding->json, '{');
		decode_fields(decoding, &message->base, false);
		json_close(&decoding->json, '}');
		TRY(image_read_payload(image, &data, &size));
		write_base64(decoding, data, message->msize);
	}
	json_close(&decoding->json, ']');
	return 0;
}

static int encode_messages(const struct json *value, struct image *image, const ProtobufCMessage *record,
			   struct pool *pool)
{
	for (const struct json *item = value->first; item; item = item->next->next) {
		ProtobufCMessage *message;
		void *data;
		size_t size;

		TRY(encode_record(item, &ipc_msg__descriptor, pool, &message));
		if (!item->next)
			return refuse(EINVAL, "line %u: a message without its text", item->line);
		TRY(read_base64(item->next, pool, &data, &size));
		TRY(image_write_message(image, message));
		TRY(image_write_bytes(image, data, size));
		TRY(image_write_padding(image, size, 8));
	}
	return 0;
}

/* Older images hold the segment itself, padded. */
static int decode_shm(struct decoding *decoding, struct image *image, const ProtobufCMessage *record)
{
	uint64_t segment = ((const IpcShmEntry *)record)->size, left = image_payload_left(image);

	return decode_piecewise(decoding, image, segment < left ? segment : left);
}

static int encode_shm(const struct json *value, struct image *image, const ProtobufCMessage *record, struct pool *pool)
{
	size_t size = 0;

	TRY(encode_piecewise(value, image, &size));
	return image_write_padding(image, size, 4);
}

static const struct extra extras[] = {
	{ IMAGE_PIPES_DATA, decode_bytes, encode_bytes },
	{ IMAGE_FIFO_DATA, decode_bytes, encode_bytes },
	{ IMAGE_SK_QUEUES, decode_bytes, encode_bytes },
	{ IMAGE_TCP_STREAM, decode_tcp, encode_tcp },
	{ IMAGE_BPFMAP_DATA, decode_bytes, encode_bytes },
	{ IMAGE_IPCNS_SEM, decode_semaphores, encode_semaphores },
	{ IMAGE_IPCNS_MSG, decode_messages, encode_messages },
	{ IMAGE_IPCNS_SHM, decode_shm, encode_shm },
	{ IMAGE_GHOST_FILE, decode_bytes, encode_bytes },
};

static const struct extra *find_extra(enum image_id id)
{
	for (size_t i = 0; i < ARRAY_SIZE(extras); i++) {
		if (extras[i].id == id)
			return &extras[i];
	}
	return NULL;
}

/* "12B", "1.5KB", "2MB" */
static void print_size(uint64_t size, char *to, size_t capacity)
{
	static const char *const units[] = { "B", "KB", "MB", "GB", "TB" };
	double value = (double)size;
	unsigned unit = 0;

	for (; value >= 1024 && unit < 4; unit++)
		value /= 1024;
	snprintf(to, capacity, "%.*f", value == (double)(uint64_t)value ? 0 : 1, value);
	snprintf(to + strlen(to), capacity - strlen(to), "%s", units[unit]);
}

/* Only the size is wanted. The messages of a queue are records of their own: they are counted with it. */
static int decode_size(struct decoding *decoding, struct image *image, const ProtobufCMessage *record)
{
	uint64_t size = image_payload_left(image);
	char text[64] = "... <";

	for (uint32_t left = image_get_id(image) == IMAGE_IPCNS_MSG ? ((const IpcMsgEntry *)record)->qnum : 0; left;
	     left--) {
		const IpcMsg *message;
		int more = image_read(image, &message);

		TRY(more);
		if (!more)
			return image_refuse(image, "truncated: %u messages are missing", left);
		size += message->msize;
	}
	print_size(size, text + strlen(text), sizeof(text) - strlen(text));
	strcat(text, ">");
	json_write_string(&decoding->json, text);
	return 0;
}

int extra_decode(struct decoding *decoding, struct image *image, const ProtobufCMessage *record)
{
	const struct extra *extra = find_extra(image_get_id(image));
	bool is_ghost = record->descriptor == &ghost_file_entry__descriptor;

	/* A ghost in chunks has its bytes behind the chunks. */
	if (!extra || (is_ghost && ((const GhostFileEntry *)record)->chunks))
		return 0;
	if (decoding->no_payload && extra->id == IMAGE_GHOST_FILE)
		return 0;
	json_key(&decoding->json, "extra");
	return decoding->no_payload ? decode_size(decoding, image, record) : extra->decode(decoding, image, record);
}

int extra_encode(const struct json *object, struct image *image, const ProtobufCMessage *record, struct pool *pool)
{
	const struct extra *extra = find_extra(image_get_id(image));
	const struct json *value = json_find(object, "extra");

	return extra && value ? extra->encode(value, image, record, pool) : 0;
}
