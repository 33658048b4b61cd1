/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that siblings have from the creator of them all. */
#include "object/memory/lent/passed-on.h"

#include <stdlib.h>

#include "base/pool.h"
#include "base/range.h"
#include "base/vector.h"
#include "object/memory/memory.h"

struct passed_on {
	VECTOR(struct address_range) mappings; /* that were inherited by the one that was looked at */
	page_range_list pages;
};

void passed_on_destroy(struct passed_on **ref)
{
	struct passed_on *passed = *ref;

	if (!passed)
		return;
	vector_done(&passed->mappings);
	vector_done(&passed->pages);
	free(passed);
	*ref = NULL;
}

static bool has_same_mappings(const struct passed_on *passed, const struct memory_restore *own)
{
	size_t n = 0;

	for (size_t i = 0; i < own->n; i++) {
		const VmaEntry *vma = own->mappings[i].vma;

		if (!own->mappings[i].inherited)
			continue;
		if (n == passed->mappings.n || passed->mappings.items[n].start != vma->start ||
		    passed->mappings.items[n].end != vma->end)
			return false;
		n++;
	}
	return n == passed->mappings.n;
}

bool passed_on_find(const struct memory_restore *creator, const struct memory_restore *own, page_range_list *ret)
{
	const struct passed_on *passed = creator->passed_on;

	if (!passed || !has_same_mappings(passed, own))
		return false;
	for (size_t i = 0; i < passed->pages.n; i++)
		*vector_push(ret) = passed->pages.items[i];
	return true;
}

void passed_on_keep(struct memory_restore *creator, const struct memory_restore *own, const page_range_list *pages)
{
	struct passed_on *passed = xzalloc(sizeof(*passed));

	passed_on_destroy(&creator->passed_on);
	creator->passed_on = passed;
	for (size_t i = 0; i < own->n; i++)
		if (own->mappings[i].inherited)
			*vector_push(&passed->mappings) =
				(struct address_range){ own->mappings[i].vma->start, own->mappings[i].vma->end };
	for (size_t i = 0; i < pages->n; i++)
		*vector_push(&passed->pages) = pages->items[i];
}
