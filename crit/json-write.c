/* SPDX-License-Identifier: GPL-2.0-only */
/* JSON text as Python's json.dump() writes it: ASCII only, lower-case escapes. */
#include "crit/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define INDENT 4

static void put_new_line(struct json_writer *writer)
{
	buffer_printf(&writer->out, "\n%*s", (int)(writer->depth * INDENT), "");
}

/* What stands between the values: nothing after a key. */
static void begin_value(struct json_writer *writer)
{
	if (writer->has_key) {
		writer->has_key = false;
		return;
	}
	if (!writer->depth)
		return;
	if (!writer->first)
		buffer_append(&writer->out, ", ", writer->pretty ? 1 : 2);
	if (writer->pretty)
		put_new_line(writer);
	writer->first = false;
}

void json_open(struct json_writer *writer, char bracket)
{
	begin_value(writer);
	buffer_append(&writer->out, &bracket, 1);
	writer->depth++;
	writer->first = true;
}

void json_close(struct json_writer *writer, char bracket)
{
	writer->depth--;
	if (writer->pretty && !writer->first)
		put_new_line(writer);
	buffer_append(&writer->out, &bracket, 1);
	writer->first = false;
}

/* The length of the UTF-8 sequence at text and its character, or 0 if there is none. */
static size_t decode_utf8(const unsigned char *text, size_t size, uint32_t *ret)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = text[0] < 0xc0 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : text[0] < 0xf8 ? 4 : 0;

	if (!length || length > size)
		return 0;
	*ret = text[0] & (0x7f >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*ret = *ret << 6 | (text[i] & 0x3f);
	}
	if (*ret < smallest[length] || *ret > 0x10ffff || (*ret >= 0xd800 && *ret < 0xe000))
		return 0;
	return length;
}

static void put_ascii(struct buffer *out, char c)
{
	static const char escapes[] = "\"\"\\\\\nn\rr\tt\bb\ff"; /* pairs of character and letter */

	for (const char *pair = escapes; *pair; pair += 2) {
		if (*pair == c) {
			buffer_append(out, (char[]){ '\\', pair[1] }, 2);
			return;
		}
	}
	buffer_printf(out, "\\u%04x", c);
}

/* Anything above ASCII; returns how many bytes it took. */
static size_t put_wide(struct buffer *out, const unsigned char *text, size_t size)
{
	uint32_t c;
	size_t length = decode_utf8(text, size, &c);

	if (!length) {
		buffer_printf(out, "\\u%04x", 0xdc00 + text[0]);
		return 1;
	}
	if (c < 0x10000)
		buffer_printf(out, "\\u%04x", c);
	else
		buffer_printf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
	return length;
}

static void put_characters(struct buffer *out, const char *text, size_t size)
{
	size_t plain = 0;

	for (size_t i = 0; i < size; i += plain ?: 1) {
		/* Long runs that need nothing, such as base64, at once. */
		for (plain = 0; i + plain < size; plain++) {
			unsigned char c = (unsigned char)text[i + plain];

			if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
				break;
		}
		if (plain)
			buffer_append(out, text + i, plain);
		else if ((unsigned char)text[i] < 0x80)
			put_ascii(out, text[i]);
		else
			i += put_wide(out, (const unsigned char *)text + i, size - i) - 1;
	}
}

static void put_text(struct json_writer *writer, const char *text, size_t size)
{
	buffer_append(&writer->out, "\"", 1);
	put_characters(&writer->out, text, size);
	buffer_append(&writer->out, "\"", 1);
}

void json_key(struct json_writer *writer, const char *name)
{
	begin_value(writer);
	put_text(writer, name, strlen(name));
	buffer_append(&writer->out, ": ", 2);
	writer->has_key = true;
}

void json_write_text(struct json_writer *writer, const char *text, size_t size)
{
	begin_value(writer);
	put_text(writer, text, size);
}

void json_begin_text(struct json_writer *writer)
{
	begin_value(writer);
	buffer_append(&writer->out, "\"", 1);
}

void json_add_text(struct json_writer *writer, const char *text, size_t size)
{
	put_characters(&writer->out, text, size);
}

void json_end_text(struct json_writer *writer)
{
	buffer_append(&writer->out, "\"", 1);
}

void json_write_string(struct json_writer *writer, const char *text)
{
	json_write_text(writer, text, strlen(text));
}

void json_write_bool(struct json_writer *writer, bool truth)
{
	begin_value(writer);
	buffer_append(&writer->out, truth ? "true" : "false", truth ? 4 : 5);
}

void json_printf(struct json_writer *writer, const char *format, ...)
{
	char text[64];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	begin_value(writer);
	buffer_append(&writer->out, text, strlen(text));
}
