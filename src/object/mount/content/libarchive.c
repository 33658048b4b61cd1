/* SPDX-License-Identifier: GPL-2.0-only */
/* The functions of libarchive, which is loaded for the content of mounts. */
#include "base/array.h"
#include "object/mount/content/libarchive.h"

#define LIBRARY_TABLE libarchive

#ifdef STATIC_BUILD
struct libarchive libarchive = { LIBARCHIVE(LIBRARY_LINKED) };

/* In place of the library's own, which nobody calls, but which would bring an XML library with it, and that ICU. */
int archive_write_set_format_xar(struct archive *archive)
{
	return ARCHIVE_FATAL;
}
#else
struct libarchive libarchive;
#endif

int libarchive_load(void)
{
	static const struct loaded_symbol symbols[] = { LIBARCHIVE(LIBRARY_SYMBOL) };

	return symbols_load("libarchive.so.13", symbols, ARRAY_SIZE(symbols));
}
