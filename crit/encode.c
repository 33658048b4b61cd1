/* SPDX-License-Identifier: GPL-2.0-only */
/* JSON to images, driven by the descriptors of the records. */
#include "crit/crit.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "crit/field-options.h"
#include "crit/text.h"
#include "crit/values.h"
#include "image/image.h"
#include "image/record.h"
#include "image/table.h"

static int want_type(const struct json *json, enum json_type type)
{
	static const struct json wanted[] = { { .type = JSON_TEXT }, { .type = JSON_LIST }, { .type = JSON_OBJECT } };

	if (json->type == type)
		return 0;
	return refuse(EINVAL, "line %u: %s is wanted, this is %s", json->line,
		      json_type_name(&wanted[type - JSON_TEXT]), json_type_name(json));
}

static int read_integer(const struct json *json, const ProtobufCFieldDescriptor *field,
			const struct field_options *options, void *to)
{
	bool is_32 = false;
	struct integer integer = { 0 };

	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		is_32 = true;
		/* fallthrough */
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		integer.is_signed = true;
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		is_32 = true;
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		break;
	default:
		return refuse(EINVAL, "fields of this type are not known");
	}
	TRY(integer_read(json, options, field->name, &integer));
	if (!is_32) {
		memcpy(to, &integer.value, sizeof(integer.value));
		return 0;
	}
	if (integer.is_signed ? (int64_t)integer.value != (int32_t)integer.value : integer.value > UINT32_MAX)
		return refuse(ERANGE, "line %u: %s does not fit into 32 bits", json->line, json->text);
	memcpy(to, &(uint32_t){ (uint32_t)integer.value }, sizeof(uint32_t));
	return 0;
}

static int read_bytes(const struct json *json, const struct field_options *options, struct pool *pool,
		      ProtobufCBinaryData *to)
{
	void *data;
	int error;

	TRY(want_type(json, JSON_TEXT));
	if (options && options->conv)
		error = quoted_printable_decode(pool, json->text, json->size, &data, &to->len);
	else
		error = base64_decode(pool, json->text, json->size, &data, &to->len);
	to->data = data;
	if (error < 0)
		return refuse(EINVAL, "line %u: not %s", json->line,
			      options && options->conv ? "quoted-printable" : "base64");
	return 0;
}

static int read_enum(const struct json *json, const ProtobufCEnumDescriptor *descriptor, int *to)
{
	struct integer number = { .is_signed = true };
	const ProtobufCEnumValue *value;

	if (json->type == JSON_NUMBER) {
		TRY(integer_read(json, NULL, "", &number));
		*to = (int)(int64_t)number.value;
		return 0;
	}
	TRY(want_type(json, JSON_TEXT));
	value = protobuf_c_enum_descriptor_get_value_by_name(descriptor, json->text);
	if (!value)
		return refuse(EINVAL, "line %u: '%s' is no %s", json->line, json->text, descriptor->name);
	*to = value->value;
	return 0;
}

static int read_value(const struct json *json, const ProtobufCFieldDescriptor *field,
		      const struct field_options *options, struct pool *pool, void *to)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		return encode_record(json, field->descriptor, pool, to);
	case PROTOBUF_C_TYPE_STRING:
		TRY(want_type(json, JSON_TEXT));
		if (strlen(json->text) != json->size)
			return refuse(EINVAL, "line %u: a NUL in a text", json->line);
		memcpy(to, &json->text, sizeof(json->text));
		return 0;
	case PROTOBUF_C_TYPE_BYTES:
		return read_bytes(json, options, pool, to);
	case PROTOBUF_C_TYPE_BOOL:
		if (json->type != JSON_TRUE && json->type != JSON_FALSE)
			return refuse(EINVAL, "line %u: true or false is wanted, this is %s", json->line,
				      json_type_name(json));
		*(protobuf_c_boolean *)to = json->type == JSON_TRUE;
		return 0;
	case PROTOBUF_C_TYPE_ENUM:
		return read_enum(json, field->descriptor, to);
	default:
		return read_integer(json, field, options, to);
	}
}

/* An address in text stands for its words. */
static int read_address(const struct json *json, struct pool *pool, void *items, size_t *n)
{
	uint32_t *words = pool_array(pool, uint32_t, ADDRESS_WORDS);
	int count = address_read(json, words);

	TRY(count);
	memcpy(items, &words, sizeof(words));
	*n = (size_t)count;
	return 0;
}

static int read_list(const struct json *json, const ProtobufCFieldDescriptor *field,
		     const struct field_options *options, struct pool *pool, ProtobufCMessage *record)
{
	void *member = (char *)record + field->offset;
	size_t *n = (void *)((char *)record + field->quantifier_offset);
	size_t size = field_value_size(field->type);
	char *items;

	TRY(want_type(json, JSON_LIST));
	if (options && options->ipadd && json->n == 1 && json->first->type == JSON_TEXT)
		return read_address(json->first, pool, member, n);
	items = pool_alloc(pool, json->n * size + 1);
	memcpy(member, &items, sizeof(items));
	*n = json->n;
	for (const struct json *item = json->first; item; item = item->next, items += size)
		TRY(read_value(item, field, options, pool, items));
	return 0;
}

static int read_field(const struct json *json, const ProtobufCFieldDescriptor *field, struct pool *pool,
		      ProtobufCMessage *record)
{
	const struct field_options *options = field_options_find(record->descriptor->name, field->id);
	LOG_SCOPE("%s", field->name);

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return read_list(json, field, options, pool, record);
	if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING &&
	    field->type != PROTOBUF_C_TYPE_MESSAGE)
		*(protobuf_c_boolean *)((char *)record + field->quantifier_offset) = true;
	return read_value(json, field, options, pool, (char *)record + field->offset);
}

int encode_record(const struct json *object, const ProtobufCMessageDescriptor *descriptor, struct pool *pool,
		  ProtobufCMessage **ret)
{
	ProtobufCMessage *record = pool_alloc(pool, descriptor->sizeof_message);

	TRY(want_type(object, JSON_OBJECT));
	protobuf_c_message_init(descriptor, record);
	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
		const struct json *json = json_find(object, field->name);

		if (json)
			TRY(read_field(json, field, pool, record));
		else if (field->label == PROTOBUF_C_LABEL_REQUIRED)
			return refuse(EINVAL, "line %u: the field '%s' is missing", object->line, field->name);
	}
	*ret = record;
	return 0;
}

static int write_entries(const struct json *entries, struct image *image, struct pool *pool)
{
	const struct image_kind *kind = image_kind(image_get_id(image));
	size_t n = 0;

	TRY(image_write_head(image));
	for (const struct json *entry = entries->first; entry; entry = entry->next, n++) {
		const ProtobufCMessageDescriptor *descriptor =
			n && kind->shape == SHAPE_HEADED ? kind->item : kind->record;
		ProtobufCMessage *record;
		LOG_SCOPE("entry %zu", n + 1);

		TRY(encode_record(entry, descriptor, pool, &record));
		TRY(image_write_message(image, record));
		TRY(extra_encode(entry, image, record, pool));
	}
	return 0;
}

int encode_image(const struct json *json, int fd, const char *name, struct pool *pool)
{
	AUTO(image_close) struct image *image = NULL;
	const struct json *magic, *entries;
	enum image_id id;

	TRY(want_type(json, JSON_OBJECT));
	magic = json_find(json, "magic");
	entries = json_find(json, "entries");
	if (!magic || !entries)
		return refuse(EINVAL, "an image is an object with \"magic\" and \"entries\"");
	TRY(want_type(magic, JSON_TEXT));
	TRY(want_type(entries, JSON_LIST));
	id = image_find_crit(magic->text);
	if (id == IMAGE_COUNT)
		return refuse(EINVAL, "there is no image with the magic '%s'", magic->text);
	TRY(image_create_fd(fd, name, id, &image));
	TRY(write_entries(entries, image, pool));
	return image_finish(&image);
}
