/* SPDX-License-Identifier: GPL-2.0-only */
/* Which mappings a new task keeps of those that it got from its creator by fork, and how others must be made so that
 * the kernel makes mappings one again that were. */
#include "object/memory/lent/mappings-inherit.h"

#include <string.h>
#include <sys/mman.h>

#include "object/memory/mappings-restore.h"
#include "object/memory/memory.h"
#include "object/memory/template/template.h"
#include "plan/plan.h"
#include "session/session.h"
#include "vma.pb-c.h"

#define SMALL (1ull << 20) /* so much more memory does not matter */

/*
 * A heap that has grown since the fork, or has been cut off: the same but for its end. What has grown much is filled
 * faster as new memory.
 */
static bool may_end_elsewhere(const VmaEntry *own, const VmaEntry *from)
{
	if (own->flags & (MAP_GROWSDOWN | MAP_HUGETLB))
		return false;
	return own->end < from->end ||
	       (own->status & VMA_ANON_PRIVATE && own->end - from->end < from->end - from->start);
}

bool memory_mappings_same(const struct memory_mapping *own, const struct memory_mapping *from)
{
	const VmaEntry *x = own->vma, *y = from->vma;

	return memory_is_private(x) && memory_is_private(y) && !x->watched && !y->watched && x->start == y->start &&
	       (x->end == y->end || may_end_elsewhere(x, y)) && x->prot == y->prot && x->flags == y->flags &&
	       x->status == y->status && own->file == from->file && x->pgoff == y->pgoff && x->madv == y->madv;
}

/* What a task has mapped. A helper has no memory of its own but still that which it was born with. */
static struct memory_restore *memory_of(const struct task *task)
{
	while (task && !task_is_live(task))
		task = task->restore->creator;
	if (!task)
		return NULL;
	return task->restore->memory_from ? memory_restore_of(task->restore->memory_from) : memory_restore_of(task);
}

struct memory_restore *memory_of_creator(const struct task *task)
{
	return memory_of(task->restore->creator);
}

static void plan_drop(struct plan *plan, uint64_t start, uint64_t end)
{
	if (start < end)
		plan_syscall(plan, "drop what came from the creator", __NR_munmap, V(start), V(end - start));
}

/* When nothing is in the way any more. A mapping of its own beside the other would not become one with it. */
static void plan_growth(const struct memory_restore *own, const struct memory_restore *from, struct plan *plan)
{
	size_t k = 0;

	for (size_t i = 0; i < own->n; i++) {
		const VmaEntry *vma = own->mappings[i].vma;

		if (!own->mappings[i].inherited)
			continue;
		while (from->mappings[k].vma->start < vma->start)
			k++;
		if (from->mappings[k].vma->end < vma->end)
			plan_syscall(plan, "extend what came from the creator", __NR_mremap, V(vma->start),
				     V(from->mappings[k].vma->end - vma->start), V(vma->end - vma->start), V(0), V(0));
	}
}

/* They may have been one mapping, of which the program has protected a part for a while. With equal protections they
 * are two because the kernel does not make them one. */
static bool may_have_been_one(const struct memory_mapping *last, const struct memory_mapping *mapping)
{
	const VmaEntry *x = last->vma, *y = mapping->vma;

	return x->end == y->start && x->prot != y->prot && memory_is_private(y) && !last->file && !mapping->file &&
	       x->flags == y->flags && x->status == y->status && x->madv == y->madv && !(x->flags & MAP_GROWSDOWN);
}

static bool is_small(const struct memory_mapping *mapping)
{
	return mapping->vma->end - mapping->vma->start < SMALL;
}

void memory_find_used(struct memory_restore *memory)
{
	for (size_t i = 1; i + 1 < memory->n; i++) {
		struct memory_mapping *m = &memory->mappings[i];

		if (!m->was_used && is_small(m) && m[-1].was_used && m[1].was_used && may_have_been_one(&m[-1], m) &&
		    may_have_been_one(m, &m[1]))
			m->was_used = true;
	}
}

/*
 * Anonymous memory is writable until its content is there: then it can be filled in large pieces. What nobody may touch
 * stays so from the beginning: it may be vast, and asking for it writable would be refused as too much memory. But if
 * it was used it was writable once, and counts as such: else the kernel would not make it one with its neighbours
 * when the program allows access again, and mremap(2) of both would fail.
 */
uint32_t memory_first_prot(const struct memory_mapping *mapping)
{
	if (mapping->inherited) /* whatever it had been here */
		return mapping->made;
	if (mapping->writable)
		return PROT_READ | PROT_WRITE;
	if (mapping->file || (!mapping->vma->prot && !mapping->was_used))
		return mapping->vma->prot;
	return PROT_READ | PROT_WRITE;
}

static void find_inherited(struct restore *r, struct task *task, struct memory_restore *own,
			   const struct memory_restore *from)
{
	size_t k = 0;

	for (size_t i = 0; i < from->n; i++) {
		const VmaEntry *vma = from->mappings[i].vma;

		while (k < own->n && own->mappings[k].vma->start < vma->start)
			k++;
		if (k == own->n || !memory_mappings_same(&own->mappings[k], &from->mappings[i]) ||
		    memory_template_find(memory_template_of(r), task, own->mappings[k].vma))
			continue;
		own->mappings[k].inherited = true;
		own->mappings[k].made = memory_first_prot(&from->mappings[i]);
		own->mappings[k].writable = from->mappings[i].writable;
	}
}

/*
 * What was one mapping when a child was born, the kernel makes one again. Else it does not, if one of them is
 * inherited, and mremap(2) of both would fail: then the task gets its own. But large memory stays shared if the other
 * one is empty: the arena of an allocator, and what is reserved for it.
 */
static void inherit_together(struct memory_mapping *last, struct memory_mapping *mapping)
{
	const bool was_one = last->inherited && mapping->inherited && last->made == mapping->made;
	const bool is_worth_it = (last->inherited && !is_small(last)) || (mapping->inherited && !is_small(mapping));

	if (was_one || !may_have_been_one(last, mapping) || (is_worth_it && !(last->was_used && mapping->was_used)))
		return;
	last->inherited = last->writable = false;
	mapping->inherited = mapping->writable = false;
}

/* Which mappings came from the creator by fork and may stay; all others that came are unmapped. */
void memory_plan_inherit(struct restore *r, struct task *task, struct plan *plan)
{
	struct memory_restore *own = memory_restore_of(task);
	const struct memory_restore *from = memory_of_creator(task);
	size_t k = 0;

	if (!from)
		return;
	find_inherited(r, task, own, from);
	for (size_t i = 1; i < own->n; i++)
		inherit_together(&own->mappings[i - 1], &own->mappings[i]);
	for (size_t i = own->n; i-- > 1;)
		inherit_together(&own->mappings[i - 1], &own->mappings[i]);
	for (size_t i = 0; i < from->n; i++) {
		const VmaEntry *vma = from->mappings[i].vma;

		if (!memory_is_private(vma))
			continue;
		while (k < own->n && own->mappings[k].vma->start < vma->start)
			k++;
		if (k < own->n && own->mappings[k].inherited && own->mappings[k].vma->start == vma->start)
			plan_drop(plan, own->mappings[k].vma->end, vma->end);
		else
			plan_drop(plan, vma->start, vma->end);
	}
	plan_growth(own, from, plan);
}
