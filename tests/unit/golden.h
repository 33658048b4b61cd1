/* SPDX-License-Identifier: GPL-2.0-only */
/* Files under tests/golden, kept from a real kernel. Include after cmocka.h. */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

/* malloc'ed and NUL-terminated; the size through ret_size unless NULL. */
static inline char *read_golden(const char *name, size_t *ret_size)
{
	char *text = NULL, path[512];

	snprintf(path, sizeof(path), "%s/%s", GOLDEN, name);
	assert_int_equal(file_read_all(AT_FDCWD, path, &text, ret_size), 0);
	return text;
}
