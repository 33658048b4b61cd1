/* SPDX-License-Identifier: LGPL-2.1-only */
/* Text to numbers, fields and lines. */
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Like strtoull(3), but takes no sign and no blanks in front; *end is behind the last digit. */
static int parse_u64(const char *text, int base, char **end, uint64_t *ret)
{
	unsigned long long value;

	*ret = 0;
	if (!isalnum((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, end, base);
	if (errno)
		return -errno;
	if (*end == text)
		return -EINVAL;
	*ret = value;
	return 0;
}

int text_to_u64(const char *text, int base, uint64_t *ret)
{
	uint64_t value = 0;
	char *end;
	int error = parse_u64(text, base, &end, &value);

	if (error < 0)
		return error;
	if (*end)
		return -EINVAL;
	*ret = value;
	return 0;
}

int text_to_u32(const char *text, int base, uint32_t *ret)
{
	uint64_t value = 0;
	int error = text_to_u64(text, base, &value);

	if (error < 0)
		return error;
	if (value > UINT32_MAX)
		return -ERANGE;
	*ret = (uint32_t)value;
	return 0;
}

int text_to_int(const char *text, int *ret)
{
	long value;
	char *end;

	if (!isdigit((unsigned char)text[*text == '-']))
		return -EINVAL;
	errno = 0;
	value = strtol(text, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno || value < INT_MIN || value > INT_MAX)
		return -ERANGE;
	*ret = (int)value;
	return 0;
}

int text_to_size(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	unsigned shift = 0;
	uint64_t value = 0;
	char *end;
	int error = parse_u64(text, 10, &end, &value);

	if (error < 0)
		return error;
	if (*end) {
		const char *unit = strchr(units, toupper((unsigned char)*end));

		if (!unit || end[1])
			return -EINVAL;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (value > UINT64_MAX >> shift)
		return -ERANGE;
	*ret = value << shift;
	return 0;
}

bool text_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix)
{
	size_t size = strlen(text), end = strlen(suffix);

	return size >= end && strcmp(text + size - end, suffix) == 0;
}

const char *text_after(const char *text, const char *prefix)
{
	return text_starts(text, prefix) ? text + strlen(prefix) : NULL;
}

char *text_line(char **cursor)
{
	char *line = *cursor, *end;

	if (!line || !*line)
		return NULL;
	end = strchr(line, '\n');
	if (end)
		*end++ = '\0';
	*cursor = end;
	return line;
}

char *text_field(char **cursor)
{
	char *field = *cursor, *end;

	if (!field)
		return NULL;
	field += strspn(field, " \t");
	if (!*field) {
		*cursor = NULL;
		return NULL;
	}
	end = field + strcspn(field, " \t");
	*cursor = *end ? end + 1 : NULL;
	*end = '\0';
	return field;
}

/* Bytes of the character that begins here, 0 if there is none; *cut: the text ends within it. See utf-8(7). */
static size_t utf8_length(const unsigned char *c, bool *cut)
{
	size_t n = c[0] < 0x80			 ? 1
		   : c[0] >= 0xc2 && c[0] < 0xe0 ? 2
		   : (c[0] & 0xf0) == 0xe0	 ? 3
		   : c[0] >= 0xf0 && c[0] < 0xf5 ? 4
						 : 0;

	*cut = false;
	for (size_t i = 1; i < n; i++) {
		if ((c[i] & 0xc0) == 0x80)
			continue;
		*cut = !c[i];
		return 0;
	}
	/* Longer than need be, half of a pair, or beyond the last character. */
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] >= 0xa0) || (c[0] == 0xf0 && c[1] < 0x90) ||
	    (c[0] == 0xf4 && c[1] >= 0x90))
		return 0;
	return n;
}

void text_make_utf8(char *text)
{
	while (*text) {
		bool cut;
		size_t n = utf8_length((const unsigned char *)text, &cut);

		if (cut) {
			*text = '\0';
			return;
		}
		if (!n)
			*text = '?';
		text += n ? n : 1;
	}
}

void text_mask_controls(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (iscntrl((unsigned char)text[i]) && text[i] != '\t' && (text[i] != '\n' || i + 1 < size))
			text[i] = '?';
}

void text_size(uint64_t bytes, char to[16])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes;
	unsigned unit = 0;

	while (value >= 1024 && unit < 4) {
		value /= 1024;
		unit++;
	}
	snprintf(to, 16, "%.*f %s", unit && value < 100 ? 1 : 0, value, units[unit]);
}
