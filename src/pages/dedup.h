/* SPDX-License-Identifier: GPL-2.0-only */
/* Freeing pages in images of which nobody will need them there: holes are punched, the files keep their size. */
#pragma once

#include <stdint.h>

struct store;

/*
 * Frees in all parents the pages that the store has anew. The parents are of use only below it afterwards. Adds the
 * bytes that are not looked up there any more to *ret_size. A store without parents has nothing to free.
 */
int pages_free_in_parents(struct store *store, uint64_t *ret_size);
/* Frees all pages that a restore from this store has read, in it and in its parents: it was the last one. */
int pages_free_all(struct store *store);
