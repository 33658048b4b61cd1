/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vdso(7) and its data: mappings that only the kernel can make. A new task has those it inherited from criu; they wait behind the stage ("parked") and are moved
 * by mremap(2) to where the program knows them.
 */
#include "object/memory/vdso.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "kern/proc/proc.h"
#include "lib/compel/puppet.h"

#define PARKING_SIZE (1ull << 20)
#define HIGHEST	     0x7ffffffff000ull

static bool is_piece(const struct mapping *m)
{
	return m->name && (text_starts(m->name, "[vvar") || strcmp(m->name, "[vdso]") == 0);
}

/* Where our own pieces lie, in address order; they form one block. */
struct own_vdso {
	struct mappings all;
	const struct mapping *first, *last;
};

static int find_own(struct own_vdso *own)
{
	AUTO_CLOSE int proc = proc_open(getpid());

	TRY(proc);
	TRY(mappings_read(proc, MAPPINGS_PLAIN, &own->all));
	for (size_t i = 0; i < own->all.n; i++) {
		if (!is_piece(&own->all.items[i]))
			continue;
		if (!own->first)
			own->first = &own->all.items[i];
		own->last = &own->all.items[i];
	}
	if (own->first && own->last->end - own->first->start > PARKING_SIZE)
		return refuse(EOPNOTSUPP, "the vdso of this kernel is larger than criu expects");
	return 0;
}

static void own_done(struct own_vdso *own)
{
	mappings_done(&own->all);
}

uint64_t memory_parking_end(const struct restore *r)
{
	return r->parking + PARKING_SIZE;
}

static void plan_move(struct plan *plan, const char *why, uint64_t from, uint64_t size, uint64_t to)
{
	plan_syscall(plan, why, __NR_mremap, V(from), V(size), V(size), V(MREMAP_MAYMOVE | MREMAP_FIXED), V(to));
}

int memory_plan_empty(struct restore *r, struct plan *plan)
{
	AUTO(own_done) struct own_vdso own = { 0 };
	uint64_t start = puppet_stage_start(r->stage);

	TRY(find_own(&own));
	for (const struct mapping *m = own.first; m && m <= own.last; m++)
		plan_move(plan, "park the vdso", m->start, m->end - m->start, r->parking + (m->start - own.first->start));
	plan_syscall(plan, "drop criu's memory below the stage", __NR_munmap, V(0), V(start));
	plan_syscall(plan, "drop criu's memory above the stage", __NR_munmap, V(memory_parking_end(r)),
		     V(HIGHEST - memory_parking_end(r)));
	return 0;
}

static const VmaEntry *find_area(const struct task *task, uint32_t status)
{
	const struct memory_restore *memory = task->restore->memory;

	for (size_t i = 0; i < memory->n; i++)
		if (memory->areas[i].vma->status & status)
			return memory->areas[i].vma;
	return NULL;
}

int vdso_plan(struct restore *r, struct task *task, struct plan *plan)
{
	const VmaEntry *vdso = find_area(task, VMA_VDSO), *vvar = find_area(task, VMA_VVAR);
	AUTO(own_done) struct own_vdso own = { 0 };
	uint64_t data = 0;

	if (!vdso)
		return 0; /* what is parked goes with the stage */
	TRY(find_own(&own));
	for (const struct mapping *m = own.first; m && m < own.last; m++)
		data += m->end - m->start;
	if (!own.first || own.last->end - own.last->start != vdso->end - vdso->start || !vvar || data != vvar->end - vvar->start)
		return refuse(EOPNOTSUPP, "its vdso is that of another kernel: this cannot be restored yet");
	for (const struct mapping *m = own.first; m <= own.last; m++) {
		uint64_t parked = r->parking + (m->start - own.first->start);
		uint64_t to = m == own.last ? vdso->start : vvar->start + (m->start - own.first->start);

		plan_move(plan, plan_why(plan, "move the vdso to %" PRIx64, to), parked, m->end - m->start, to);
	}
	return 0;
}
