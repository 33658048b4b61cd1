/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzz target: the reader of images. The first byte of the input chooses the image, the rest is its content. What is
 * accepted must survive being written and read again; what is not must end in a failure, never in a crash.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/log.h"
#include "image/image.h"
#include "image/inventory.h"
#include "image/pagemap-image.h"
#include "image/payload.h"
#include "image/record.h"
#include "image/store-memory.h"
#include "image/store.h"
#include "image/table.h"

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

/*
 * protobuf-c keeps fields it does not know, also malformed ones like those with the number 0, and writes what it then
 * refuses itself. That is not ours to test.
 */
static bool has_unknown_fields(const ProtobufCMessage *record)
{
	const ProtobufCMessageDescriptor *descriptor = record->descriptor;

	if (record->n_unknown_fields)
		return true;
	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
		const void *member = (const char *)record + field->offset;
		ProtobufCMessage *const *items = member;
		size_t n = 1;

		if (field->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			n = *(const size_t *)((const char *)record + field->quantifier_offset);
			items = *(ProtobufCMessage *const *const *)member;
		}
		for (size_t j = 0; j < n; j++) {
			if (items[j] && has_unknown_fields(items[j]))
				return true;
		}
	}
	return false;
}

/* Reads all of the image with this name and writes it into another store. */
static int copy_image(struct store *from, struct store *to, enum image_id id)
{
	AUTO(image_close) struct image *in = NULL;
	AUTO(image_close) struct image *out = NULL;
	ProtobufCMessage *record;
	int more;

	TRY(image_open(from, &in, id, 1));
	TRY(image_create(to, &out, id, 1));
	if (image_kind(id)->magic)
		TRY(image_write_head(out));
	while ((more = image_read(in, &record)) > 0) {
		void *payload;
		size_t size;

		TRY(image_read_payload(in, &payload, &size));
		if (has_unknown_fields(record))
			return -EINVAL;
		must(image_write_message(out, record) == 0);
		must(image_write_bytes(out, payload, size) == 0);
	}
	TRY(more);
	must(image_finish(&out) == 0);
	return 0;
}

/* What one generation wrote, the next must write again. */
static void check_generations(struct store *first, enum image_id id, const char *name)
{
	AUTO(store_close) struct store *second = store_create_memory();
	AUTO(store_close) struct store *third = store_create_memory();
	const void *data, *again;
	size_t size, size_again;

	if (copy_image(first, second, id) < 0)
		return;
	data = store_find_file(second, name, &size);
	if (!data)
		return;
	must(copy_image(second, third, id) == 0);
	again = store_find_file(third, name, &size_again);
	must(again && size == size_again && memcmp(data, again, size) == 0);
}

static void check_pagemap(struct store *store, enum image_id id)
{
	struct pagemap map;

	if (pagemap_read(store, id, 1, &map) < 0)
		return;
	for (size_t i = 0; i < map.n; i++)
		must(pagemap_find(&map, map.ranges[i].start) == &map.ranges[i]);
	pagemap_done(&map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(store_close) struct store *store = NULL;
	struct inventory inventory;
	enum image_id id;
	char name[64];

	if (!size)
		return 0;
	id = data[0] % IMAGE_COUNT;
	image_print_name(id, 1, name, sizeof(name));
	store = store_create_memory();
	store_add_file(store, name, data + 1, size - 1);
	check_generations(store, id, name);
	if (id == IMAGE_PAGEMAP || id == IMAGE_PAGEMAP_SHMEM)
		check_pagemap(store, id);
	if (id == IMAGE_INVENTORY)
		inventory_read(store, &inventory);
	return 0;
}
