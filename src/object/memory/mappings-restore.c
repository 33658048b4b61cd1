/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of mappings to steps that make them, all at their final addresses: a new task has nothing else there. */
#include "object/memory/mappings-restore.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch_regs.h"
#include "base/fail.h"
#include "base/page.h"
#include "kern/syscalls.h"
#include "lib/compel/restorer.h"
#include "object/file/file.h"
#include "object/memory/aio/aio.h"
#include "object/memory/content-restore.h"
#include "object/memory/lazy-restore.h"
#include "object/memory/lent/lent.h"
#include "object/memory/lent/mappings-inherit.h"
#include "object/memory/lent/passed-on.h"
#include "object/memory/memory.h"
#include "pages/reader.h"
#include "object/memory/sysv.h"
#include "object/memory/template/template.h"
#include "object/memory/uring/uring-place.h"
#include "object/memory/vdso/vdso.h"
#include "plan/plan.h"
#include "plugin/plugin.h"
#include "session/needs.h"
#include "session/survey.h"

#define ADDRESS_LIMIT (1ull << 56)

/* These are made by mmap itself; MAP_LOCKED would fault all pages in before their content is there. */
#define MMAP_FLAGS                                                                                                \
	(MAP_SHARED | MAP_PRIVATE | MAP_DROPPABLE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_NORESERVE | MAP_HUGETLB | \
	 (unsigned)MAP_HUGE_MASK << MAP_HUGE_SHIFT)

static const uint32_t mappable = VMA_FILE_PRIVATE | VMA_FILE_SHARED | VMA_ANON_PRIVATE | VMA_ANON_SHARED;

static int check_vma(const VmaEntry *vma, uint64_t floor)
{
	if (!is_page_aligned(vma->start) || !is_page_aligned(vma->end) || vma->start >= vma->end)
		return refuse(EINVAL, "mapping %" PRIx64 "-%" PRIx64 " makes no sense", vma->start, vma->end);
	if (vma->status & VMA_VSYSCALL)
		return 0;
	if (vma->end > ADDRESS_LIMIT || (vma->start < floor && !(vma->status & VMA_GUARD)))
		return refuse(EINVAL, "mapping %" PRIx64 "-%" PRIx64 " overlaps another one or is out of order",
			      vma->start, vma->end);
	if (vma->status & VMA_SHSTK)
		return refuse(EOPNOTSUPP,
			      "mapping %" PRIx64 "-%" PRIx64 " is of a kind that cannot be restored yet (status 0x%x)",
			      vma->start, vma->end, vma->status);
	if (!(vma->status & (mappable | VMA_GUARD | VMA_AIORING | VMA_UPROBES)))
		return refuse(EINVAL, "mapping %" PRIx64 "-%" PRIx64 " has the unknown status 0x%x", vma->start,
			      vma->end, vma->status);
	return 0;
}

static bool has_file(const VmaEntry *vma)
{
	return vma->status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED | VMA_MEMFD) &&
	       !(vma->status & (VMA_VDSO | VMA_AIORING));
}

static void close_content(void *state)
{
	struct memory_restore *memory = state;
	struct page_reader *reader = memory->content;

	memory_lent_destroy(&memory->lent);
	passed_on_destroy(&memory->passed_on);
	page_reader_close(&reader);
}

const struct state_type memory_restore_state = { sizeof(struct memory_restore), close_content };

struct memory_restore *memory_restore_of(const struct task *task)
{
	return state_find(&task->restore->states, &memory_restore_state);
}

static int load_mappings(const struct restore *r, struct task *task)
{
	struct memory_restore *memory = state_make(&task->restore->states, &memory_restore_state);
	uint64_t floor = 0;

	memory->mappings = pool_array(r->pool, struct memory_mapping, task->mm->n_vmas);
	for (size_t i = 0; i < task->mm->n_vmas; i++) {
		VmaEntry *vma = task->mm->vmas[i];
		struct memory_mapping *mapping;

		TRY(check_vma(vma, floor));
		if (vma->status & VMA_GUARD)
			TRY(need_kernel(r, FEATURE_ID_guard_install));
		if ((vma->flags & MAP_TYPE) == MAP_DROPPABLE && !(vma->status & VMA_VDSO))
			TRY(need_kernel(r, FEATURE_ID_map_droppable));
		if (vma->status & (VMA_GUARD | VMA_VSYSCALL))
			continue;
		floor = vma->end;
		if (vma->status & VMA_UPROBES) /* the kernel makes a new one when a probe is hit */
			continue;
		if (vma->status & VMA_AIORING)
			TRY(aio_check(task->mm, vma));
		if (vma->status & VMA_SYSVIPC)
			TRY(sysv_check(vma));
		mapping = &memory->mappings[memory->n++];
		mapping->vma = vma;
		mapping->plugin_fd = -1;
		if (!has_file(vma))
			continue;
		if (file_use(r, (uint32_t)vma->shmid, &mapping->file) < 0)
			return refuse(EINVAL,
				      "mapping %" PRIx64 "-%" PRIx64 " is of file %" PRIu64 ", which the images lack",
				      vma->start, vma->end, vma->shmid);
	}
	if (file_use(r, task->mm->exe_file_id, &memory->exe) < 0)
		return refuse(EINVAL, "its program is file %u, which the images lack", task->mm->exe_file_id);
	return 0;
}

static int load_task(const struct restore *r, struct task *task)
{
	TRY(load_mappings(r, task));
	TRY(memory_load_content(r, task));
	return vdso_load(r, task);
}

int memory_restore_load(const struct restore *r)
{
	struct task *task;

	for_each_task(task, r->tree) {
		if (!task_is_live(task) || task->restore->memory_from)
			continue;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		TRY(restore_go_on(r, load_task(r, task)));
	}
	return 0;
}

#define SLOT_PIDFD    1
#define SLOT_BORROWED 3 /* AIO rings use those below */

/*
 * The descriptor of which mappings are made at the moment. The kernel chooses its number and it alone is closed: the
 * table may be shared with a task that does the same at this moment, or that has its descriptors already.
 */
struct borrowed {
	struct plan *plan;
	struct plan_arg pidfd;
	const struct file *last; /* NULL: there is none */
	int last_fd;		 /* its number here */
};

static void give_back(struct borrowed *b)
{
	if (b->last)
		plan_syscall(b->plan, "close what was borrowed", __NR_close, S(SLOT_BORROWED));
	b->last = NULL;
}

static int borrow_file(struct restore *r, struct borrowed *b, const struct memory_mapping *mapping)
{
	int fd = mapping->plugin_fd;

	if (fd < 0)
		TRY(file_get_fd(r, mapping->file, &fd));
	if (mapping->file == b->last && fd == b->last_fd)
		return 0;
	give_back(b);
	plan_step(b->plan, plan_why(b->plan, "take file %u", mapping->file->id), STEP_GETFD,
		  (struct plan_arg[]){ b->pidfd, V(fd), V(-1), V(0) }, 4)
		->to_slot = SLOT_BORROWED;
	b->last = mapping->file;
	b->last_fd = fd;
	return 0;
}

/* A mapping of a device: the plugin says where in it, or in something else, the memory is now. */
static int ask_plugins(struct restore *r, struct memory_mapping *mapping, uint64_t *pgoff)
{
	const VmaEntry *vma = mapping->vma;
	uint64_t new_pgoff = vma->pgoff;
	int answer;

	if (!mapping->file->entry->reg)
		return refuse(EINVAL, "mapping %" PRIx64 "-%" PRIx64 " of a device is of file %u, which has no path",
			      vma->start, vma->end, mapping->file->id);
	TRY(file_restore_plugged(r));
	answer = plugins_ask(r->plugins, UPDATE_VMA_MAP, mapping->file->entry->reg->name, vma->start, vma->pgoff,
			     &new_pgoff, &mapping->plugin_fd);
	TRY(plugins_check(r->plugins, answer));
	if (answer == 1)
		*pgoff = new_pgoff;
	else
		mapping->plugin_fd = -1;
	return 0;
}

static int plan_map(struct restore *r, struct borrowed *b, struct memory_mapping *mapping)
{
	const VmaEntry *vma = mapping->vma;
	struct plan_arg fd = V(-1);
	struct step *step;
	uint32_t flags = vma->flags & MMAP_FLAGS;
	uint64_t pgoff = mapping->file ? vma->pgoff : 0;

	if (vma->status & VMA_EXT_PLUGIN && mapping->file)
		TRY(ask_plugins(r, mapping, &pgoff));
	if (mapping->file) {
		TRY(borrow_file(r, b, mapping));
		fd = S(SLOT_BORROWED);
		flags &= ~(uint32_t)MAP_ANONYMOUS;
	}
	step = plan_syscall(b->plan, "map memory", __NR_mmap, V(vma->start), V(vma->end - vma->start), V(vma->prot),
			    V(flags | MAP_FIXED_NOREPLACE), fd, V(pgoff));
	step->flags |= STEP_EXACT;
	step->arg[6] = (int64_t)vma->start;
	return 0;
}

static void plan_advice(struct plan *plan, const VmaEntry *vma, uint64_t which)
{
	for (unsigned advice = 0; advice < 64; advice++) {
		if (!(vma->madv & which & (1ull << advice)))
			continue;
		/* What this kernel was built without is no loss of content. */
		plan_syscall(plan, "give advice on memory", __NR_madvise, V(vma->start), V(vma->end - vma->start),
			     V(advice))
			->flags |= STEP_MAY_FAIL;
	}
}

#define ADVICE_BEFORE_FILL (1ull << MADV_HUGEPAGE | 1ull << MADV_NOHUGEPAGE)

/*
 * Neighbours that differ in nothing but their protection, or not even in that.
 */
static bool continues_mapping(const struct memory_mapping *last, const struct memory_mapping *mapping)
{
	const VmaEntry *x = last->vma, *y = mapping->vma;

	return memory_is_private(y) && !mapping->inherited && !last->shared && !mapping->shared && !last->file &&
	       !mapping->file && x->end == y->start && x->flags == y->flags && x->status == y->status &&
	       x->madv == y->madv && memory_first_prot(last) == memory_first_prot(mapping) &&
	       !(x->flags & (MAP_GROWSDOWN | MAP_HUGETLB));
}

/* A run of such neighbours is made by one mmap: half the calls for thousands of mappings. */
static void plan_map_run(struct plan *plan, const struct memory_mapping *first, size_t n)
{
	const VmaEntry *a = first->vma, *z = first[n - 1].vma;
	struct step *step = plan_syscall(plan, "map memory", __NR_mmap, V(a->start), V(z->end - a->start),
					 V(memory_first_prot(first)), V((a->flags & MMAP_FLAGS) | MAP_FIXED_NOREPLACE),
					 V(-1), V(0));

	step->flags |= STEP_EXACT;
	step->arg[6] = (int64_t)a->start;
}

/* What it has of the template goes to its place, with all pages. */
static void plan_shared(const struct restore *r, const struct task *task, struct memory_mapping *mapping,
			struct plan *plan)
{
	const VmaEntry *vma = mapping->vma;
	uint64_t at = memory_template_find(memory_template_of(r), task, vma), size = vma->end - vma->start;

	if (!at || !memory_is_private(vma))
		return;
	mapping->shared = mapping->writable = true;
	plan_syscall(plan, "move memory that copies share", __NR_mremap, V(at), V(size), V(size),
		     V(MREMAP_MAYMOVE | MREMAP_FIXED), V(vma->start));
	plan_advice(plan, vma, ADVICE_BEFORE_FILL);
}

int memory_plan_private(struct restore *r, struct task *task, struct plan *plan)
{
	struct memory_restore *memory = memory_restore_of(task);
	struct borrowed b = { .plan = plan, .pidfd = S(SLOT_PIDFD) };

	memory_lazy_plan(r, memory, plan);
	memory_plan_inherit(r, task, plan);
	for (size_t i = 0; i < memory->n; i++)
		plan_shared(r, task, &memory->mappings[i], plan);
	restorer_plan_find_us(plan, r->us, SLOT_PIDFD);
	for (size_t i = 0, n; i < memory->n; i += n) {
		struct memory_mapping *mapping = &memory->mappings[i];

		n = 1;
		if (!memory_is_private(mapping->vma) || mapping->inherited || mapping->shared)
			continue;
		while (i + n < memory->n && continues_mapping(&mapping[n - 1], &mapping[n]))
			n++;
		if (mapping->file)
			TRY(plan_map(r, &b, mapping));
		else
			plan_map_run(plan, mapping, n);
		for (size_t k = 0; k < n; k++)
			plan_advice(plan, mapping[k].vma, ADVICE_BEFORE_FILL);
	}
	give_back(&b);
	plan_syscall(plan, "close the pidfd of criu", __NR_close, S(SLOT_PIDFD));
	return 0;
}

void memory_private_done(struct restore *r, struct task *task)
{
	struct memory_restore *memory = memory_restore_of(task);

	for (size_t i = 0; i < memory->n; i++)
		if (memory->mappings[i].file && memory_is_private(memory->mappings[i].vma))
			file_put(r, memory->mappings[i].file);
}

static void plan_finish(struct plan *plan, const VmaEntry *vma)
{
	plan_advice(plan, vma, memory_is_private(vma) ? ~ADVICE_BEFORE_FILL : ~0ull);
	/* The pages of a PROT_NONE mapping cannot be faulted in, which mlock(2) reports though it did its work. */
	if (vma->flags & MAP_LOCKED)
		plan_syscall(plan, "lock memory", __NR_mlock2, V(vma->start), V(vma->end - vma->start),
			     V(vma->locked_on_fault ? MLOCK_ONFAULT : 0))
			->flags |= vma->prot ? 0 : STEP_MAY_FAIL;
}

/* Protections that anonymous mappings were not made with; one call for neighbours with the same. */
static void plan_protect(const struct memory_restore *memory, struct plan *plan)
{
	for (size_t i = 0, n; i < memory->n; i += n) {
		const struct memory_mapping *mapping = &memory->mappings[i];
		uint32_t prot = mapping->vma->prot;

		n = 1;
		if (!memory_is_private(mapping->vma) || memory_first_prot(mapping) == prot)
			continue;
		while (i + n < memory->n && memory_is_private(mapping[n].vma) && mapping[n].vma->prot == prot &&
		       mapping[n].vma->start == mapping[n - 1].vma->end && memory_first_prot(&mapping[n]) != prot)
			n++;
		plan_syscall(plan, "protect memory", __NR_mprotect, V(mapping->vma->start),
			     V(mapping[n - 1].vma->end - mapping->vma->start), V(prot));
	}
}

int memory_plan_rest(struct restore *r, struct task *task, struct plan *plan)
{
	struct memory_restore *memory = memory_restore_of(task);
	struct borrowed b = { .plan = plan, .pidfd = V(task->restore->coordinator_fd) };
	const struct address_range shared = memory_template_range(memory_template_of(r));

	TRY(uring_plan_mappings(r, task, memory, plan)); /* first: it knows what is mapped now */
	if (shared.end)					 /* its children have theirs */
		plan_syscall(plan, "drop what copies share and others need", __NR_munmap, V(shared.start),
			     V(shared.end - shared.start));
	TRY(vdso_plan(r, task, plan));
	plan_protect(memory, plan);
	for (size_t i = 0; i < memory->n; i++) {
		struct memory_mapping *mapping = &memory->mappings[i];

		if (mapping->vma->status & (VMA_VDSO | VMA_VVAR))
			continue;
		if (mapping->vma->status & VMA_SYSVIPC)
			TRY(sysv_plan(r, memory, i, plan));
		else if (mapping->vma->status & VMA_AIORING)
			TRY(aio_plan(task->mm, mapping->vma, plan));
		else if (!memory_is_private(mapping->vma) && !uring_is_mapping(mapping))
			TRY(plan_map(r, &b, mapping));
		plan_finish(plan, mapping->vma);
	}
	for (size_t i = 0; i < task->mm->n_vmas; i++) {
		const VmaEntry *vma = task->mm->vmas[i];

		if (vma->status & VMA_GUARD)
			plan_syscall(plan, "guard memory (Linux 6.13)", __NR_madvise, V(vma->start),
				     V(vma->end - vma->start), V(MADV_GUARD_INSTALL));
	}
	give_back(&b);
	return 0;
}

void memory_rest_done(struct restore *r, struct task *task)
{
	struct memory_restore *memory = memory_restore_of(task);

	for (size_t i = 0; i < memory->n; i++) {
		if (memory->mappings[i].file && !memory_is_private(memory->mappings[i].vma))
			file_put(r, memory->mappings[i].file);
		if (memory->mappings[i].plugin_fd >= 0)
			close(memory->mappings[i].plugin_fd);
		memory->mappings[i].plugin_fd = -1;
	}
}

int memory_restore_needs(const struct restore *r)
{
	struct task *task;
	int error = 0;

	for_each_task(task, r->tree) {
		int missing = task_is_live(task) ? sysv_need(r, task) : 0;

		error = error ?: missing;
		if (task_is_live(task) && arch_core_is_compat(task->leader->core))
			need_feature(r, FEATURE_ID_compat_cr);
		for (size_t i = 0; task->mm && i < task->mm->n_vmas; i++) {
			if (task->mm->vmas[i]->status & VMA_VDSO)
				need_feature(r, FEATURE_ID_move_vdso);
		}
	}
	return error;
}

int memory_restore_copies(const struct restore *r)
{
	struct task *task;

	for_each_task(task, r->tree) {
		const struct memory_restore *memory = task_is_live(task) ? memory_restore_of(task) : NULL;

		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		for (size_t i = 0; memory && i < memory->n; i++)
			if (memory->mappings[i].vma->status & VMA_SYSVIPC && !r->facts->own_ipc)
				return restore_go_on(
					r,
					refuse(EOPNOTSUPP,
					       "its System V shared memory %" PRIu64
					       " belongs to the IPC namespace of this machine: all copies would write "
					       "to the same",
					       memory->mappings[i].vma->shmid));
	}
	return 0;
}
