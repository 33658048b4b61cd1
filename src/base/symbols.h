/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Libraries that are loaded when they are needed. Linked ones cost every run of criu some milliseconds, most of it for
 * libraries that these need in turn. A table of the functions is declared by a list of their names:
 *
 *	#define LIBX(X) X(x_open) X(x_close)
 *	extern struct libx { LIBX(LIBRARY_MEMBER) } libx;
 *
 * They are called by libx.x_open(), once libx_load() has succeeded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Of a single file (-Dstatic=true): it has some libraries within, and cannot load any. */
#ifdef STATIC_BUILD
#define IS_STATIC_BUILD true
#else
#define IS_STATIC_BUILD false
#endif

struct loaded_symbol {
	const char *name;
	void **to;
};

#define LIBRARY_MEMBER(symbol) __typeof__(symbol) *symbol;
#define LIBRARY_LINKED(symbol) .symbol = symbol,
#define LIBRARY_SYMBOL(symbol) { #symbol, (void **)&LIBRARY_TABLE.symbol },

/*
 * Finds all symbols; nothing to do when that was done before. To be called in the mount namespace of criu, whose
 * libraries they are, by its main thread.
 */
int symbols_load(const char *file, const struct loaded_symbol *symbols, size_t n);
