/* SPDX-License-Identifier: GPL-2.0-only */
/* Images to JSON, driven by the descriptors of the records. */
#include "crit/crit.h"

#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "crit/field-options.h"
#include "crit/text.h"
#include "crit/values.h"
#include "image/image.h"
#include "image/record.h"
#include "image/table.h"

size_t field_value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return sizeof(uint64_t);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return sizeof(uint32_t);
	}
}

static struct integer load_integer(ProtobufCType type, const void *value)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return (struct integer){ *(const uint64_t *)value, true };
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return (struct integer){ *(const uint64_t *)value, false };
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return (struct integer){ *(const uint32_t *)value, false };
	default:
		return (struct integer){ (uint64_t)(int64_t) * (const int32_t *)value, true };
	}
}

static void write_bytes(struct decoding *decoding, const struct field_options *options,
			const ProtobufCBinaryData *bytes)
{
	struct buffer text = { 0 };

	if (options && options->conv)
		quoted_printable_encode(&text, bytes->data, bytes->len);
	else
		base64_encode(&text, bytes->data, bytes->len);
	json_write_text(&decoding->json, text.data, text.size);
	buffer_done(&text);
}

static void write_enum(struct decoding *decoding, const ProtobufCFieldDescriptor *field, int value)
{
	const ProtobufCEnumValue *name = protobuf_c_enum_descriptor_get_value(field->descriptor, value);

	if (name)
		json_write_string(&decoding->json, name->name);
	else
		json_printf(&decoding->json, "%d", value);
}

static void write_value(struct decoding *decoding, const ProtobufCFieldDescriptor *field,
			const struct field_options *options, bool hex, const void *value)
{
	struct json_writer *json = &decoding->json;

	switch (field->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		json_open(json, '{');
		decode_fields(decoding, *(const ProtobufCMessage *const *)value, hex || (options && options->hex));
		json_close(json, '}');
		break;
	case PROTOBUF_C_TYPE_STRING:
		json_write_string(json, *(const char *const *)value);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		write_bytes(decoding, options, value);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		json_write_bool(json, *(const protobuf_c_boolean *)value);
		break;
	case PROTOBUF_C_TYPE_ENUM:
		write_enum(decoding, field, *(const int *)value);
		break;
	default:
		integer_write(json, decoding->pretty ? options : NULL, field->name, decoding->pretty && hex,
			      load_integer(field->type, value));
	}
}

static bool is_present(const ProtobufCMessage *record, const ProtobufCFieldDescriptor *field)
{
	const void *member = (const char *)record + field->offset;
	const void *quantifier = (const char *)record + field->quantifier_offset;

	switch (field->label) {
	case PROTOBUF_C_LABEL_REPEATED:
		return *(const size_t *)quantifier > 0;
	case PROTOBUF_C_LABEL_OPTIONAL:
		if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE)
			return *(const void *const *)member && *(const void *const *)member != field->default_value;
		return *(const protobuf_c_boolean *)quantifier;
	default:
		return true;
	}
}

static void write_list(struct decoding *decoding, const ProtobufCMessage *record, const ProtobufCFieldDescriptor *field,
		       const struct field_options *options, bool hex)
{
	const char *items = *(const char *const *)((const char *)record + field->offset);
	size_t n = *(const size_t *)((const char *)record + field->quantifier_offset);

	if (decoding->pretty && options && options->ipadd &&
	    address_write(&decoding->json, (const uint32_t *)(const void *)items, n))
		return;
	json_open(&decoding->json, '[');
	for (size_t i = 0; i < n; i++)
		write_value(decoding, field, options, hex, items + i * field_value_size(field->type));
	json_close(&decoding->json, ']');
}

void decode_fields(struct decoding *decoding, const ProtobufCMessage *record, bool hex)
{
	const ProtobufCMessageDescriptor *descriptor = record->descriptor;

	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
		const struct field_options *options = field_options_find(descriptor->name, field->id);

		if (!is_present(record, field))
			continue;
		json_key(&decoding->json, field->name);
		if (field->label == PROTOBUF_C_LABEL_REPEATED)
			write_list(decoding, record, field, options, hex);
		else
			write_value(decoding, field, options, hex, (const char *)record + field->offset);
	}
}

int decode_image(struct decoding *decoding, struct image *image)
{
	struct json_writer *json = &decoding->json;
	ProtobufCMessage *record;
	int more;

	json->pretty = decoding->pretty;
	json_open(json, '{');
	json_key(json, "magic");
	json_write_string(json, image_kind(image_get_id(image))->crit);
	json_key(json, "entries");
	json_open(json, '[');
	while ((more = image_read(image, &record)) > 0) {
		json_open(json, '{');
		decode_fields(decoding, record, false);
		TRY(extra_decode(decoding, image, record));
		json_close(json, '}');
	}
	json_close(json, ']');
	json_close(json, '}');
	return more;
}

int count_entries(struct image *image, size_t *ret)
{
	enum image_id id = image_get_id(image);
	ProtobufCMessage *record;
	int more;

	*ret = 0;
	while ((more = image_read_malloc(image, &record)) > 0) {
		bool counts = record->descriptor == image_kind(id)->record || image_kind(id)->shape != SHAPE_NESTED;

		*ret += counts;
		protobuf_c_message_free_unpacked(record, NULL);
	}
	if (image_kind(id)->magic == image_kind(IMAGE_PAGEMAP)->magic && *ret)
		--*ret;
	return more;
}
