/* SPDX-License-Identifier: GPL-2.0-only */
/* The functions of libarchive, which is loaded for the content of mounts. */
#include "base/array.h"
#include "object/mount/content/libarchive.h"

#define LIBRARY_TABLE libarchive

struct libarchive libarchive;

int libarchive_load(void)
{
	static const struct loaded_symbol symbols[] = { LIBARCHIVE(LIBRARY_SYMBOL) };

	return symbols_load("libarchive.so.13", symbols, ARRAY_SIZE(symbols));
}
