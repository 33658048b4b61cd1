/* SPDX-License-Identifier: GPL-2.0-only */
/* Checksums of all images of a directory, beside them (checksums.img): --checksum. */
#pragma once

#include <stddef.h>

struct store;
struct workers;

/*
 * Reads every image that lies there, and writes its sums. The inventory, which is to be written after all others, is
 * given as what it will be. Statistics are left out.
 */
int checksums_write(struct store *store, struct workers *workers, const void *inventory, size_t inventory_size);
/* Those of older images go. */
int checksums_remove(struct store *store);
/* Compares. Returns 0, also if there are no checksums, or the first failure; all are reported. */
int checksums_check(struct store *store, struct workers *workers);
