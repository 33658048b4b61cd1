/* SPDX-License-Identifier: GPL-2.0-only */
/* Base64 and quoted-printable text. */
#include "crit/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"

#define QUOTED_LINE 76

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Returns the end of what was written. */
static char *encode_line(char *to, const unsigned char *data, size_t size)
{
	for (size_t i = 0; i < size; i += 3) {
		uint32_t b1 = i + 1 < size ? data[i + 1] : 0, b2 = i + 2 < size ? data[i + 2] : 0;
		uint32_t bits = (uint32_t)data[i] << 16 | b1 << 8 | b2;

		*to++ = letters[bits >> 18];
		*to++ = letters[bits >> 12 & 63];
		*to++ = i + 1 < size ? letters[bits >> 6 & 63] : '=';
		*to++ = i + 2 < size ? letters[bits & 63] : '=';
	}
	*to++ = '\n';
	return to;
}

void base64_encode(struct buffer *out, const void *data, size_t size)
{
	const size_t lines = (size + BASE64_LINE - 1) / BASE64_LINE;
	char *begin = buffer_reserve(out, (size + 2) / 3 * 4 + lines + 1), *to = begin;

	for (size_t i = 0; i < size; i += BASE64_LINE)
		to = encode_line(to, (const unsigned char *)data + i, size - i < BASE64_LINE ? size - i : BASE64_LINE);
	*to = '\0';
	out->size += (size_t)(to - begin);
}

enum { NO_LETTER = 64, BLANK, FILL };

/* What a character stands for: its 6 bits, or one of the above. */
static const unsigned char *letter_values(void)
{
	static unsigned char values[256];

	if (values['A'] == 0 && values['='] == FILL)
		return values;
	memset(values, NO_LETTER, sizeof(values));
	for (unsigned i = 0; i < 64; i++)
		values[(unsigned char)letters[i]] = (unsigned char)i;
	values[' '] = values['\t'] = values['\r'] = values['\n'] = BLANK;
	values['='] = FILL;
	return values;
}

int base64_read(struct base64_reader *reader, const char *text, size_t size, struct buffer *out)
{
	const unsigned char *values = letter_values();
	unsigned char *to = buffer_reserve(out, size / 4 * 3 + 6);
	size_t done = 0;

	for (size_t i = 0; i < size; i++) {
		unsigned value = values[(unsigned char)text[i]];

		if (value == BLANK)
			continue;
		if (value == NO_LETTER || (reader->fill && value != FILL))
			return -EINVAL;
		reader->fill += value == FILL;
		reader->bits = reader->bits << 6 | (value & 63);
		if (++reader->n % 4)
			continue;
		if (reader->fill > 2)
			return -EINVAL;
		to[done] = (unsigned char)(reader->bits >> 16);
		to[done + 1] = (unsigned char)(reader->bits >> 8);
		to[done + 2] = (unsigned char)reader->bits;
		done += 3 - reader->fill;
	}
	out->size += done;
	return 0;
}

int base64_end(const struct base64_reader *reader)
{
	return reader->n % 4 ? -EINVAL : 0;
}

int base64_decode(struct pool *pool, const char *text, size_t size, void **ret, size_t *ret_size)
{
	AUTO(buffer_done) struct buffer bytes = { 0 };
	struct base64_reader reader = { 0 };

	TRY(base64_read(&reader, text, size, &bytes));
	TRY(base64_end(&reader));
	*ret = pool_copy(pool, bytes.data, bytes.size);
	*ret_size = bytes.size;
	return 0;
}

/* Blanks may stand as they are, unless a line would end with them. */
static bool stands_as_it_is(const unsigned char *data, size_t size, size_t i)
{
	unsigned char c = data[i];

	if (c == ' ' || c == '\t')
		return i + 1 < size && data[i + 1] != '\n';
	if (c == '\r') /* Python's decoder takes \r\n for the end of a line */
		return i + 1 == size || data[i + 1] != '\n';
	if (c == '.' && (i == 0 || data[i - 1] == '\n'))
		return i + 1 < size && data[i + 1] != '\n';
	return c > ' ' && c < 0x7f && c != '=';
}

void quoted_printable_encode(struct buffer *out, const void *from, size_t size)
{
	const unsigned char *data = from;
	size_t column = 0;

	for (size_t i = 0; i < size; i++) {
		size_t width = stands_as_it_is(data, size, i) ? 1 : 3;
		bool last = i + 1 == size || data[i + 1] == '\n';

		if (data[i] == '\n') {
			buffer_append(out, "\n", 1);
			column = 0;
			continue;
		}
		/* The last character of a line is the '=' of a soft break, unless the text ends just there. */
		if (column + width > QUOTED_LINE - (last ? 0 : 1)) {
			buffer_append(out, "=\n", 2);
			column = 0;
		}
		if (width == 1)
			buffer_append(out, &data[i], 1);
		else
			buffer_printf(out, "=%02X", data[i]);
		column += width;
	}
}

static int hex_digit(char c)
{
	return !isxdigit((unsigned char)c) ? -EINVAL : isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

int quoted_printable_decode(struct pool *pool, const char *text, size_t size, void **ret, size_t *ret_size)
{
	char *to = pool_alloc(pool, size + 1);
	size_t done = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] != '=') {
			to[done++] = text[i];
		} else if (i + 1 < size && text[i + 1] == '\n') {
			i++;
		} else {
			int high = i + 2 < size ? hex_digit(text[i + 1]) : -EINVAL;
			int low = i + 2 < size ? hex_digit(text[i + 2]) : -EINVAL;

			if (high < 0 || low < 0)
				return -EINVAL;
			to[done++] = (char)(high << 4 | low);
			i += 2;
		}
	}
	*ret = to;
	*ret_size = done;
	return 0;
}
