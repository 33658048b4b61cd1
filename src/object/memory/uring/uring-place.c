/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of an io_uring at its place. Since Linux 6.6 the kernel alone chooses where it lies: mmap(2) and mremap(2)
 * refuse any wish (io_uring_get_unmapped_area()). So all holes of the address space are filled, with memory that costs
 * nothing, but the one that is wanted, and it has no choice.
 */
#include "object/memory/uring/uring-place.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "arch_regs.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/range.h"
#include "base/vector.h"
#include "kern/proc/maps.h"
#include "object/file/file.h"
#include "object/memory/uring/uring.h"
#include "plan/plan.h"

#define SLOT_RING 3
#define LOWEST	  0x10000ull /* vm.mmap_min_addr, as nearly everywhere */

typedef VECTOR(struct address_range) ranges_t;

bool uring_is_mapping(const struct memory_mapping *mapping)
{
	return mapping->file && mapping->file->entry->type == FD_TYPES__URING;
}

/* What is free in the task, as it is now. */
static int find_holes(const struct task *task, uint64_t least, ranges_t *ret)
{
	const uint64_t highest = arch_address_limit(false);
	struct mappings now = { 0 };
	uint64_t end = LOWEST;

	TRY(mappings_read(task->restore->proc, MAPPINGS_PLAIN, &now));
	for (size_t i = 0; i <= now.n; i++) {
		uint64_t start = i < now.n ? now.items[i].start : highest;

		if (start > highest)
			start = highest;
		if (start > end && start - end >= least)
			*vector_push(ret) = (struct address_range){ end, start };
		if (i < now.n && now.items[i].end > end)
			end = now.items[i].end;
	}
	mappings_done(&now);
	return 0;
}

static void plan_fill(struct plan *plan, uint64_t start, uint64_t end)
{
	struct step *step =
		plan_syscall(plan, "fill holes in memory, so that an io_uring finds its place", __NR_mmap, P(start),
			     V(end - start), V(PROT_NONE),
			     V(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE), V(-1), V(0));

	step->flags |= STEP_EXACT;
	step->arg[6] = (int64_t)start;
}

static int plan_ring(struct restore *r, const struct task *task, const struct memory_mapping *mapping,
		     struct plan *plan)
{
	const VmaEntry *vma = mapping->vma;
	uint64_t size = vma->end - vma->start;
	struct step *step;
	int fd;

	TRY(file_get_fd(r, mapping->file, &fd));
	plan_step(plan, "take an io_uring", STEP_GETFD,
		  (struct plan_arg[]){ V(task->restore->coordinator_fd), V(fd), V(-1), V(0) }, 4)
		->to_slot = SLOT_RING;
	plan_syscall(plan, "leave the place of an io_uring free", __NR_munmap, P(vma->start), V(size));
	step = plan_syscall(plan, "map an io_uring at its place", __NR_mmap, V(0), V(size), V(vma->prot), V(MAP_SHARED),
			    S(SLOT_RING), V(vma->pgoff));
	step->flags |= STEP_EXACT;
	step->arg[6] = (int64_t)vma->start;
	plan_syscall(plan, "close what was borrowed", __NR_close, S(SLOT_RING));
	return 0;
}

static void plan_empty(struct plan *plan, uint64_t start, uint64_t end)
{
	if (start < end)
		plan_syscall(plan, "empty what was filled", __NR_munmap, P(start), V(end - start));
}

/* All but the rings, which lie in some of them. */
static void plan_empty_hole(struct plan *plan, struct address_range hole, const struct memory_restore *memory)
{
	for (size_t i = 0; i < memory->n; i++) {
		const VmaEntry *vma = memory->mappings[i].vma;

		if (!uring_is_mapping(&memory->mappings[i]) || vma->start < hole.start || vma->start >= hole.end)
			continue;
		plan_empty(plan, hole.start, vma->start);
		hole.start = vma->end;
	}
	plan_empty(plan, hole.start, hole.end);
}

static int plan_all(struct restore *r, struct task *task, const struct memory_restore *memory, const ranges_t *holes,
		    struct plan *plan)
{
	for (size_t i = 0; i < holes->n; i++)
		plan_fill(plan, holes->items[i].start, holes->items[i].end);
	for (size_t i = 0; i < memory->n; i++)
		if (uring_is_mapping(&memory->mappings[i]))
			TRY(plan_ring(r, task, &memory->mappings[i], plan));
	for (size_t i = 0; i < holes->n; i++)
		plan_empty_hole(plan, holes->items[i], memory);
	return 0;
}

int uring_plan_mappings(struct restore *r, struct task *task, const struct memory_restore *memory, struct plan *plan)
{
	uint64_t least = UINT64_MAX;
	ranges_t holes = { 0 };
	int error;

	for (size_t i = 0; i < memory->n; i++) {
		const VmaEntry *vma = memory->mappings[i].vma;

		if (uring_is_mapping(&memory->mappings[i]) && vma->end - vma->start < least)
			least = vma->end - vma->start;
	}
	if (least == UINT64_MAX)
		return 0;
	error = find_holes(task, least, &holes);
	if (error == 0)
		error = plan_all(r, task, memory, &holes, plan);
	vector_done(&holes);
	return error;
}
