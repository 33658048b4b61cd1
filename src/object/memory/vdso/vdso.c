/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vdso(7) and its data: mappings that only the kernel can make. A new task has those it inherited from criu; they wait
 * behind the arena ("parked") and are moved by mremap(2) to where the program knows them, or, if it knew those of
 * another kernel, to a free place.
 */
#include "object/memory/vdso/vdso.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch_regs.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "kern/proc/proc.h"
#include "lib/compel/restorer.h"
#include "object/memory/hole.h"
#include "object/memory/mappings-restore.h"
#include "object/memory/template/template.h"
#include "object/memory/vdso-compat.h"
#include "object/memory/vdso/vdso-patch.h"
#include "pages/reader.h"
#include "plan/plan.h"

static const struct state_type own_vdso_state = { sizeof(struct vdso_pieces), NULL };

static const struct vdso_pieces *own_vdso_of(const struct restore *r)
{
	return state_find(r->states, &own_vdso_state);
}

static bool is_range(const struct mapping *m)
{
	return m->name && (text_starts(m->name, "[vvar") || strcmp(m->name, "[vdso]") == 0);
}

int vdso_find_pieces(pid_t pid, struct vdso_pieces *ret)
{
	AUTO(mappings_done) struct mappings all = { 0 };
	AUTO_CLOSE int proc = proc_open(pid);

	TRY(proc);
	TRY(mappings_read(proc, MAPPINGS_PLAIN, &all));
	for (size_t i = 0; i < all.n; i++) {
		const struct mapping *m = &all.items[i];

		if (!is_range(m))
			continue;
		if (ret->n == VDSO_PIECES || (ret->n && ret->start + ret->size != m->start))
			return refuse(EOPNOTSUPP, "the vdso of this kernel lies otherwise than criu expects");
		if (!ret->n)
			ret->start = m->start;
		ret->range[ret->n].start = m->start;
		ret->range[ret->n++].size = m->end - m->start;
		ret->size = m->end - ret->start;
	}
	if (ret->size > PARKING_SIZE)
		return refuse(EOPNOTSUPP, "the vdso of this kernel is larger than criu expects");
	return 0;
}

int vdso_find_own(const struct restore *r)
{
	return own_vdso_of(r) ? 0 : vdso_find_pieces(getpid(), state_make(r->states, &own_vdso_state));
}

const struct vdso_pieces *vdso_own(const struct restore *r)
{
	return own_vdso_of(r);
}

static void plan_move(struct restore *r, struct plan *plan, unsigned i, uint64_t to)
{
	uint64_t size = own_vdso_of(r)->range[i].size,
		 parked = r->parking + (own_vdso_of(r)->range[i].start - own_vdso_of(r)->start);

	plan_syscall(plan, plan_why(plan, "move the vdso to %" PRIx64, to), __NR_mremap, V(parked), V(size), V(size),
		     V(MREMAP_MAYMOVE | MREMAP_FIXED), V(to));
}

/* All but what is kept, which lies in it as a whole or not at all. */
static void plan_drop(struct plan *plan, const char *why, uint64_t start, uint64_t end, struct address_range keep)
{
	if (keep.end && keep.start >= start && keep.end <= end) {
		plan_syscall(plan, why, __NR_munmap, V(start), V(keep.start - start));
		start = keep.end;
	}
	plan_syscall(plan, why, __NR_munmap, V(start), V(end - start));
}

int memory_plan_empty(struct restore *r, struct plan *plan)
{
	const struct address_range keep = memory_template_range(memory_template_of(r));
	uint64_t start = restorer_arena_start(r->arena);
	const struct vdso_pieces *own = own_vdso_of(r);

	for (unsigned i = 0; i < own->n; i++)
		plan_syscall(plan, "park the vdso", __NR_mremap, V(own->range[i].start), V(own->range[i].size),
			     V(own->range[i].size), V(MREMAP_MAYMOVE | MREMAP_FIXED),
			     V(r->parking + (own->range[i].start - own->start)));
	plan_drop(plan, "drop criu's memory below the arena", 0, start, keep);
	plan_drop(plan, "drop criu's memory above the arena", r->parking_end, arch_address_limit(false), keep);
	return 0;
}

const VmaEntry *vdso_find_area(const struct memory_restore *memory, uint32_t status)
{
	for (size_t i = 0; i < memory->n; i++)
		if (memory->mappings[i].vma->status & status)
			return memory->mappings[i].vma;
	return NULL;
}

int vdso_read_image(const struct memory_restore *memory, const VmaEntry *vma, uint8_t *to)
{
	const struct page_reader *reader = memory->content;

	for (size_t i = 0; reader && i < reader->n; i++) {
		const struct stored_range *range = &reader->ranges[i];
		uint64_t start = range->start > vma->start ? range->start : vma->start;
		uint64_t end = range->start + range->size < vma->end ? range->start + range->size : vma->end;

		if (start < end && range->file)
			TRY(pages_file_read(range->file, to + (start - vma->start), end - start,
					    range->offset + (start - range->start)));
	}
	return 0;
}

int vdso_load(const struct restore *r, struct task *task)
{
	struct memory_restore *memory = memory_restore_of(task);
	const VmaEntry *vdso = vdso_find_area(memory, VMA_VDSO), *vvar = vdso_find_area(memory, VMA_VVAR);
	const struct vdso_pieces *own;
	uint8_t *image;
	uint64_t size, code;

	if (!vdso)
		return 0;
	if (arch_core_is_compat(task->leader->core))
		return vdso_compat_load(r, task);
	own = own_vdso_of(r);
	size = vdso->end - vdso->start;
	if (size > PARKING_SIZE)
		return refuse(EINVAL, "its vdso has %" PRIu64 " bytes: the images are damaged", size);
	if (!own->n)
		return refuse(EOPNOTSUPP, "it uses a vdso, but this kernel was booted without one (vdso=0)");
	image = pool_alloc(r->pool, size);
	TRY(vdso_read_image(memory, vdso, image));
	code = own->range[own->n - 1].size;
	/* A vdso without an ELF header was not saved: then only its size can be compared. */
	if (size == code && vvar && vvar->end - vvar->start == own->size - code &&
	    (!image[0] || memcmp(image, (const void *)own->range[own->n - 1].start, size) == 0))
		return 0;
	log_info("Its vdso is that of another kernel: it will lead to this kernel's");
	memory->vdso = image;
	return 0;
}

/* A thread that stands inside reads the data as zeros, which means "make the system call". */
void vdso_plan_old(const struct memory_restore *memory, struct plan *plan)
{
	const VmaEntry *vdso = vdso_find_area(memory, VMA_VDSO), *vvar = vdso_find_area(memory, VMA_VVAR);
	uint64_t size = vdso->end - vdso->start;
	size_t at = plan_data(plan, memory->vdso, size);

	plan_syscall(plan, "map its old vdso", __NR_mmap, V(vdso->start), V(size), V(PROT_READ | PROT_WRITE),
		     V(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE), V(-1), V(0));
	plan_step(plan, "fill its old vdso", STEP_COPY, (struct plan_arg[]){ V(vdso->start), D(at), V(size) }, 3);
	plan_syscall(plan, "protect its old vdso", __NR_mprotect, V(vdso->start), V(size), V(PROT_READ | PROT_EXEC));
	if (vvar)
		plan_syscall(plan, "map its old vvar", __NR_mmap, V(vvar->start), V(vvar->end - vvar->start),
			     V(PROT_READ), V(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE), V(-1), V(0));
}

static int plan_foreign(struct restore *r, struct task *task, struct plan *plan, const VmaEntry *vdso)
{
	struct memory_restore *memory = memory_restore_of(task);
	const struct vdso_pieces *own = own_vdso_of(r);
	uint64_t place = 0, code = own->range[own->n - 1].start;

	TRY(memory_find_place(r, memory, own->size + (1ull << 20), false, &place));
	place += 1ull << 19;
	for (unsigned i = 0; i < own->n; i++)
		plan_move(r, plan, i, place + (own->range[i].start - own->start));
	TRY(vdso_patch(memory->vdso, vdso->end - vdso->start, vdso->start, (const void *)code,
		       own->range[own->n - 1].size, place + (code - own->start)));
	vdso_plan_old(memory, plan);
	return 0;
}

int vdso_plan(struct restore *r, struct task *task, struct plan *plan)
{
	const struct memory_restore *memory = memory_restore_of(task);
	const VmaEntry *vdso = vdso_find_area(memory, VMA_VDSO), *vvar = vdso_find_area(memory, VMA_VVAR);
	const struct vdso_pieces *own = own_vdso_of(r);

	if (!vdso)
		return 0; /* what is parked goes with the arena */
	if (arch_core_is_compat(task->leader->core))
		return vdso_compat_plan(r, task, plan);
	if (memory->vdso)
		return plan_foreign(r, task, plan, vdso);
	for (unsigned i = 0; i < own->n; i++)
		plan_move(r, plan, i, i == own->n - 1 ? vdso->start : vvar->start + (own->range[i].start - own->start));
	return 0;
}
