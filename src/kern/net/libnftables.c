/* SPDX-License-Identifier: LGPL-2.1-only */
/* The functions of libnftables, which is loaded when rules are read or set. */
#include "base/array.h"
#include "kern/net/libnftables.h"

#define LIBRARY_TABLE libnftables

#ifdef STATIC_BUILD
struct libnftables libnftables = { LIBNFTABLES(LIBRARY_LINKED) };
#else
struct libnftables libnftables;
#endif

int libnftables_load(void)
{
	static const struct loaded_symbol symbols[] = { LIBNFTABLES(LIBRARY_SYMBOL) };

	return symbols_load("libnftables.so.1", symbols, ARRAY_SIZE(symbols));
}
