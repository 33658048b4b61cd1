/* SPDX-License-Identifier: GPL-2.0-only */
/* Base64 and quoted-printable text. */
#include "crit/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/pool.h"

#define BASE64_LINE 57 /* bytes that make 76 characters */
#define QUOTED_LINE 76

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_line(struct buffer *out, const unsigned char *data, size_t size)
{
	for (size_t i = 0; i < size; i += 3) {
		uint32_t b1 = i + 1 < size ? data[i + 1] : 0, b2 = i + 2 < size ? data[i + 2] : 0;
		uint32_t bits = (uint32_t)data[i] << 16 | b1 << 8 | b2;
		char group[] = { letters[bits >> 18], letters[bits >> 12 & 63], '=', '=' };

		if (i + 1 < size)
			group[2] = letters[bits >> 6 & 63];
		if (i + 2 < size)
			group[3] = letters[bits & 63];
		buffer_append(out, group, sizeof(group));
	}
	buffer_append(out, "\n", 1);
}

void base64_encode(struct buffer *out, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i += BASE64_LINE)
		encode_line(out, (const unsigned char *)data + i, size - i < BASE64_LINE ? size - i : BASE64_LINE);
}

int base64_decode(struct pool *pool, const char *text, size_t size, void **ret, size_t *ret_size)
{
	unsigned char *to = pool_alloc(pool, size / 4 * 3 + 4);
	unsigned n = 0, fill = 0;
	size_t done = 0;
	uint32_t bits = 0;

	for (size_t i = 0; i < size; i++) {
		const char *letter = text[i] ? strchr(letters, text[i]) : NULL;

		if (text[i] && strchr(" \t\r\n", text[i]))
			continue;
		if (text[i] == '=')
			fill++;
		else if (!letter || fill)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)(letter ? letter - letters : 0);
		if (++n % 4)
			continue;
		if (fill > 2)
			return -EINVAL;
		to[done] = (unsigned char)(bits >> 16);
		to[done + 1] = (unsigned char)(bits >> 8);
		to[done + 2] = (unsigned char)bits;
		done += 3 - fill;
	}
	*ret = to;
	*ret_size = done;
	return n % 4 ? -EINVAL : 0;
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
