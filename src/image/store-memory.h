/* SPDX-License-Identifier: GPL-2.0-only */
/* A store in memory: a directory of images that never was one. For tests, fuzzers and tools. */
#pragma once

#include <stddef.h>

struct store;

/* For tests, fuzzers and tools: files in memory, writable. */
struct store *store_create_memory(void);
void store_add_file(struct store *store, const char *name, const void *data, size_t size);
/* What was written, or NULL; valid until the file is written again. */
const void *store_find_file(const struct store *store, const char *name, size_t *ret_size);
/*
 * A whole directory from one block of bytes: repeated { u8 length of the name, name, u32 little-endian size, content }.
 * Names that begin with "parent/" are in the parent, and so on. A block that ends too early gives a shorter last file.
 */
struct store *store_load_archive(const void *data, size_t size);
