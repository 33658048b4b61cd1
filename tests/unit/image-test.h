/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of images share: silence, files, and reading a whole image. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "image/image.h"
#include "image/table.h"

/* As cmocka's fail_msg(), which our own fail() hides. */
#define fail_with(...)                     \
	do {                               \
		print_error(__VA_ARGS__);  \
		print_error("\n");         \
		_fail(__FILE__, __LINE__); \
	} while (0)

static const char *const compat_folders[] = { "zoo", "tcp-ipc-pty", "container" };

/* Damaged images on purpose give thousands of errors that nobody wants to read. */
static inline int silence_log(void **state)
{
	return log_open("/dev/null");
}

static inline int forget_failure(void **state)
{
	failure_reset();
	return 0;
}

/* Calls visit for every image that holds records, with its content. Returns how many there were. */
static inline unsigned for_each_fixture(void (*visit)(const char *name, const char *data, size_t size))
{
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(compat_folders); i++) {
		char folder[512];
		struct dirent *entry;
		AUTO_CLOSEDIR DIR *dir = NULL;

		snprintf(folder, sizeof(folder), COMPAT "/%s/images", compat_folders[i]);
		dir = opendir(folder);
		assert_non_null(dir);
		while ((entry = readdir(dir))) {
			AUTO_FREE char *data = NULL;
			enum image_id id;
			uint64_t number;
			size_t size;

			if (image_parse_name(entry->d_name, &id, &number) < 0 || !image_kind(id)->magic)
				continue;
			assert_int_equal(file_read_all(dirfd(dir), entry->d_name, &data, &size), 0);
			visit(entry->d_name, data, size);
			n++;
		}
	}
	return n;
}
