/* SPDX-License-Identifier: LGPL-2.1-only */
/* Hash table: open addressing, linear probing, at most three quarters full; removing shifts back, so no tombstones. */
#include "base/table.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/pool.h"

struct table_slot {
	uint64_t key, key2;
	void *value; /* NULL = free */
};

struct table {
	struct table_slot *slots;
	size_t mask; /* number of slots - 1 */
	size_t n;
};

static size_t hash_key(uint64_t key, uint64_t key2)
{
	uint64_t h = key * 0x9e3779b97f4a7c15u ^ (key2 + 0x7f4a7c15u) * 0xc2b2ae3d27d4eb4fu;

	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return (size_t)(h ^ h >> 32);
}

struct table *table_create(void)
{
	struct table *table = xzalloc(sizeof(*table));

	table->mask = 15;
	table->slots = xzalloc((table->mask + 1) * sizeof(struct table_slot));
	return table;
}

void table_destroy(struct table **table)
{
	if (!*table)
		return;
	free((*table)->slots);
	free(*table);
	*table = NULL;
}

/* The slot of the key, or the free one where it belongs. */
static struct table_slot *find_slot(const struct table *table, uint64_t key, uint64_t key2)
{
	size_t i = hash_key(key, key2) & table->mask;

	while (table->slots[i].value && (table->slots[i].key != key || table->slots[i].key2 != key2))
		i = (i + 1) & table->mask;
	return &table->slots[i];
}

static void grow_table(struct table *table)
{
	struct table_slot *old = table->slots;
	size_t n = table->mask + 1;

	table->mask = n * 2 - 1;
	table->slots = xzalloc(n * 2 * sizeof(struct table_slot));
	for (size_t i = 0; i < n; i++) {
		if (old[i].value)
			*find_slot(table, old[i].key, old[i].key2) = old[i];
	}
	free(old);
}

void *table_find(const struct table *table, uint64_t key)
{
	return find_slot(table, key, 0)->value;
}

void *table_find2(const struct table *table, uint64_t key, uint64_t key2)
{
	return find_slot(table, key, key2)->value;
}

void *table_set(struct table *table, uint64_t key, void *value)
{
	return table_set2(table, key, 0, value);
}

void *table_set2(struct table *table, uint64_t key, uint64_t key2, void *value)
{
	struct table_slot *slot = find_slot(table, key, key2);
	void *old = slot->value;

	if (!old) {
		if ((table->n + 1) * 4 > (table->mask + 1) * 3) {
			grow_table(table);
			slot = find_slot(table, key, key2);
		}
		table->n++;
	}
	*slot = (struct table_slot){ key, key2, value };
	return old;
}

void *table_remove(struct table *table, uint64_t key)
{
	return table_remove2(table, key, 0);
}

void *table_remove2(struct table *table, uint64_t key, uint64_t key2)
{
	struct table_slot *slot = find_slot(table, key, key2);
	size_t hole = (size_t)(slot - table->slots), i = hole;
	void *value = slot->value;

	if (!value)
		return NULL;
	for (;;) {
		size_t home;

		i = (i + 1) & table->mask;
		if (!table->slots[i].value)
			break;
		/* An entry may move into the hole only if that is not before the place where its search starts. */
		home = hash_key(table->slots[i].key, table->slots[i].key2) & table->mask;
		if (((i - home) & table->mask) >= ((i - hole) & table->mask)) {
			table->slots[hole] = table->slots[i];
			hole = i;
		}
	}
	table->slots[hole].value = NULL;
	table->n--;
	return value;
}

void *table_next(const struct table *table, size_t *cursor)
{
	while (*cursor <= table->mask) {
		void *value = table->slots[(*cursor)++].value;

		if (value)
			return value;
	}
	return NULL;
}

size_t table_count(const struct table *table)
{
	return table->n;
}
