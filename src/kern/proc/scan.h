/* SPDX-License-Identifier: LGPL-2.1-only */
/* Scanning numbers in the texts of /proc: on success the cursor moves behind the number. For kern/proc only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static inline bool scan_hex(const char **cursor, uint64_t *ret)
{
	const char *p = *cursor;
	uint64_t value = 0;

	for (;; p++) {
		unsigned digit = (unsigned)*p - '0';

		if (digit > 9) {
			digit = ((unsigned)*p | 0x20) - 'a' + 10;
			if (digit < 10 || digit > 15)
				break;
		}
		value = value << 4 | digit;
	}
	if (p == *cursor || p - *cursor > 16)
		return false;
	*cursor = p;
	*ret = value;
	return true;
}

static inline bool scan_dec(const char **cursor, uint64_t *ret)
{
	const char *p = *cursor;
	uint64_t value = 0;

	for (; (unsigned)*p - '0' <= 9; p++) {
		unsigned digit = (unsigned)*p - '0';

		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (p == *cursor)
		return false;
	*cursor = p;
	*ret = value;
	return true;
}

static inline bool scan_char(const char **cursor, char c)
{
	if (**cursor != c)
		return false;
	++*cursor;
	return true;
}

static inline void scan_blanks(const char **cursor)
{
	while (**cursor == ' ' || **cursor == '\t')
		++*cursor;
}
