/* SPDX-License-Identifier: GPL-2.0-only */
/* The functions of GnuTLS, which is loaded for TLS and for encrypted images. */
#include "base/array.h"
#include "image/libgnutls.h"

#define LIBRARY_TABLE libgnutls

struct libgnutls libgnutls;

int libgnutls_load(void)
{
	static const struct loaded_symbol symbols[] = { LIBGNUTLS(LIBRARY_SYMBOL) };

	return symbols_load("libgnutls.so.30", symbols, ARRAY_SIZE(symbols));
}
