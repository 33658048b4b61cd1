/* SPDX-License-Identifier: GPL-2.0-only */
/* A reader of JSON that keeps numbers as they were written and bytes that are no UTF-8. */
#include "crit/json.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "base/fail.h"
#include "base/pool.h"

#define MAX_DEPTH 2000 /* a cgroup tree nests two levels for each directory */

struct reader {
	const char *at, *end;
	unsigned line, depth;
	struct pool *pool;
};

static int read_value(struct reader *reader, struct json **ret);

static int report_syntax(const struct reader *reader, const char *text)
{
	return refuse(EINVAL, "this is no JSON: line %u: %s", reader->line, text);
}

static void skip_blanks(struct reader *reader)
{
	for (; reader->at < reader->end && memchr(" \t\r\n", *reader->at, 4); reader->at++)
		reader->line += *reader->at == '\n';
}

/* Whether the next character is this one; takes it. */
static bool take_char(struct reader *reader, char c)
{
	skip_blanks(reader);
	if (reader->at == reader->end || *reader->at != c)
		return false;
	reader->at++;
	return true;
}

static int read_hex(struct reader *reader, uint32_t *ret)
{
	*ret = 0;
	for (unsigned i = 0; i < 4; i++, reader->at++) {
		static const char digits[] = "0123456789abcdef";
		const char *digit;

		if (reader->at == reader->end || !*reader->at || !(digit = strchr(digits, *reader->at | 0x20)))
			return report_syntax(reader, "four hex digits are wanted after \\u");
		*ret = *ret << 4 | (uint32_t)(digit - digits);
	}
	return 0;
}

static size_t put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* What follows "\u": a character, a pair of surrogates, or a byte that was no UTF-8. */
static int read_unicode(struct reader *reader, char *to, size_t *size)
{
	uint32_t c, low;

	TRY(read_hex(reader, &c));
	if (c >= 0xd800 && c < 0xdc00) {
		if (reader->end - reader->at < 2 || reader->at[0] != '\\' || reader->at[1] != 'u')
			return report_syntax(reader, "half of a surrogate pair");
		reader->at += 2;
		TRY(read_hex(reader, &low));
		if (low < 0xdc00 || low >= 0xe000)
			return report_syntax(reader, "half of a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c >= 0xdc80 && c <= 0xdcff) {
		to[(*size)++] = (char)(c - 0xdc00);
		return 0;
	} else if (c >= 0xdc00 && c < 0xe000) {
		return report_syntax(reader, "half of a surrogate pair");
	}
	*size += put_utf8(to + *size, c);
	return 0;
}

static int read_escape(struct reader *reader, char *to, size_t *size)
{
	static const char from_letter[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
	char letter;

	if (reader->at == reader->end)
		return report_syntax(reader, "it ends in a text");
	letter = *reader->at++;
	if (letter == 'u')
		return read_unicode(reader, to, size);
	for (const char *pair = from_letter; *pair; pair += 2) {
		if (*pair == letter) {
			to[(*size)++] = pair[1];
			return 0;
		}
	}
	return report_syntax(reader, "an unknown escape");
}

/* A text after its first quote. No escape is shorter than what it stands for. */
static int read_text(struct reader *reader, const char **ret, size_t *ret_size)
{
	const char *quote = reader->at;
	size_t size = 0;
	char *to;

	while (quote < reader->end && *quote != '"')
		quote += *quote == '\\' ? 2 : 1;
	if (quote >= reader->end)
		return report_syntax(reader, "a text does not end");
	to = pool_alloc(reader->pool, (size_t)(quote - reader->at) + 1);
	while (reader->at < quote) {
		const char *plain = memchr(reader->at, '\\', (size_t)(quote - reader->at)) ?: quote;
		size_t length = (size_t)(plain - reader->at);

		memcpy(to + size, reader->at, length);
		size += length;
		reader->at = plain;
		if (reader->at < quote) {
			reader->at++;
			TRY(read_escape(reader, to, &size));
		}
	}
	reader->at = quote + 1;
	*ret = to;
	*ret_size = size;
	return 0;
}

/* The members of a list or an object up to its closing bracket. */
static int read_members(struct reader *reader, struct json *parent, char bracket)
{
	struct json **end = &parent->first;

	if (++reader->depth > MAX_DEPTH)
		return report_syntax(reader, "it nests too deep");
	if (take_char(reader, bracket)) {
		reader->depth--;
		return 0;
	}
	do {
		const char *key = NULL;
		size_t size;

		if (parent->type == JSON_OBJECT) {
			if (!take_char(reader, '"'))
				return report_syntax(reader, "a key is wanted");
			TRY(read_text(reader, &key, &size));
			if (!take_char(reader, ':'))
				return report_syntax(reader, "':' is wanted after a key");
		}
		TRY(read_value(reader, end));
		(*end)->key = key;
		end = &(*end)->next;
		parent->n++;
	} while (take_char(reader, ','));
	reader->depth--;
	return take_char(reader, bracket) ? 0 : report_syntax(reader, "',' or a closing bracket is wanted");
}

static int read_word(struct reader *reader, struct json *value)
{
	static const struct {
		const char *text;
		enum json_type type;
	} words[] = { { "true", JSON_TRUE }, { "false", JSON_FALSE }, { "null", JSON_NULL } };
	size_t length = 0;

	while (reader->at + length < reader->end && !memchr(" \t\r\n,]}:", reader->at[length], 8))
		length++;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strlen(words[i].text) == length && memcmp(words[i].text, reader->at, length) == 0) {
			value->type = words[i].type;
			reader->at += length;
			return 0;
		}
	}
	if (!length || !memchr("-0123456789", *reader->at, 11))
		return report_syntax(reader, "a value is wanted");
	value->type = JSON_NUMBER;
	value->size = length;
	value->text = memcpy(pool_alloc(reader->pool, length + 1), reader->at, length);
	reader->at += length;
	return 0;
}

static int read_value(struct reader *reader, struct json **ret)
{
	struct json *value = pool_new(reader->pool, struct json);

	skip_blanks(reader);
	value->line = reader->line;
	*ret = value;
	if (take_char(reader, '"')) {
		value->type = JSON_TEXT;
		return read_text(reader, &value->text, &value->size);
	}
	if (take_char(reader, '{')) {
		value->type = JSON_OBJECT;
		return read_members(reader, value, '}');
	}
	if (take_char(reader, '[')) {
		value->type = JSON_LIST;
		return read_members(reader, value, ']');
	}
	return read_word(reader, value);
}

int json_read(const char *text, size_t size, struct pool *pool, struct json **ret)
{
	struct reader reader = { .at = text, .end = text + size, .line = 1, .pool = pool };

	TRY(read_value(&reader, ret));
	skip_blanks(&reader);
	return reader.at == reader.end ? 0 : report_syntax(&reader, "more text after its end");
}

struct json *json_find(const struct json *object, const char *key)
{
	for (struct json *member = object->first; member; member = member->next) {
		if (member->key && strcmp(member->key, key) == 0)
			return member;
	}
	return NULL;
}

const char *json_type_name(const struct json *value)
{
	static const char *const names[] = { "null", "false", "true", "a number", "a text", "a list", "an object" };

	return names[value->type];
}
