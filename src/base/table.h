/* SPDX-License-Identifier: LGPL-2.1-only */
/* Hash table from a 64-bit number, or a pair of them, to a pointer. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct table;

struct table *table_create(void);
void table_destroy(struct table **table); /* does not touch the values */
void *table_find(const struct table *table, uint64_t key);
void *table_find2(const struct table *table, uint64_t key, uint64_t key2);
/* Replaces and returns an older value, or NULL. value must not be NULL. */
void *table_set(struct table *table, uint64_t key, void *value);
void *table_set2(struct table *table, uint64_t key, uint64_t key2, void *value);
void *table_remove(struct table *table, uint64_t key);
void *table_remove2(struct table *table, uint64_t key, uint64_t key2);
/* Walks all values in no particular order: size_t cursor = 0; while ((value = table_next(table, &cursor))) ... */
void *table_next(const struct table *table, size_t *cursor);
size_t table_count(const struct table *table);
