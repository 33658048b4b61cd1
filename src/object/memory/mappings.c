/* SPDX-License-Identifier: GPL-2.0-only */
/* The mappings of a task as records: what each one is, and whether it can be saved. */
#include "object/memory/mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch_prot.h"
#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/page.h"
#include "base/text.h"
#include "kern/proc/maps.h"
#include "kern/proc/pagemap.h"
#include "kern/proc/proc.h"
#include "kern/syscalls.h"
#include "object/file/file.h"
#include "object/memory/aio/aio.h"
#include "object/memory/area-flags.h"
#include "object/memory/bpf/bpf-mapped.h"
#include "object/memory/mapping-settings.h"
#include "object/memory/memory.h"
#include "object/memory/shared.h"
#include "object/memory/sysv.h"
#include "object/memory/uring/uring.h"
#include "plugin/plugin.h"
#include "session/loss.h"
#include "session/survey.h"

/* smaps flags that become bits of vma_entry.madv: the number of the madvise(2) that sets them. */
static const struct {
	uint64_t flag;
	unsigned advice;
} advices[] = {
	{ VMF(RR), MADV_RANDOM },    { VMF(SR), MADV_SEQUENTIAL }, { VMF(DC), MADV_DONTFORK },
	{ VMF(MG), MADV_MERGEABLE }, { VMF(HG), MADV_HUGEPAGE },   { VMF(NH), MADV_NOHUGEPAGE },
	{ VMF(DD), MADV_DONTDUMP },  { VMF(WF), MADV_WIPEONFORK },
};

/* Names the kernel gives to mappings that are no files. */
static const struct {
	const char *name;
	uint32_t status;
} special[] = {
	{ "[vdso]", VMA_REGULAR | VMA_VDSO | VMA_ANON_PRIVATE },
	{ "[vvar]", VMA_REGULAR | VMA_VVAR | VMA_ANON_PRIVATE },
	{ "[vvar_vclock]", VMA_REGULAR | VMA_VVAR | VMA_ANON_PRIVATE },
	{ "[vsyscall]", VMA_VSYSCALL | VMA_ANON_PRIVATE },
	{ "[heap]", VMA_REGULAR | VMA_HEAP | VMA_ANON_PRIVATE },
};

/* What cannot be saved, by the name of the mapping. */
static const struct {
	const char *prefix, *what;
} refused[] = {
	{ "anon_inode:[perf_event]", "a perf event buffer: stop perf" },
	{ "/memfd:secret", "secret memory (memfd_secret): nobody else may read it" },
	{ "/secretmem", "secret memory (memfd_secret): nobody else may read it" },
};

static int refuse_mapping(const struct mapping *m, const char *what)
{
	return refuse(EOPNOTSUPP, "mapping %" PRIx64 "-%" PRIx64 " (%s) is %s", m->start, m->end,
		      m->name ? m->name : "no name", what);
}

static bool is_uprobes(const struct mapping *m)
{
	return m->name && !strcmp(m->name, "[uprobes]");
}

static int check_supported(const struct dump *d, const struct mapping *m)
{
	if (is_uprobes(m) && !d->options->allow_uprobes)
		return refuse_mapping(m, "there because a uprobe is set in the program: remove the probe, or dump with "
					 "--allow-uprobes if it "
					 "will be set at the restore too");
	for (size_t i = 0; m->name && i < ARRAY_SIZE(refused); i++)
		if (text_starts(m->name, refused[i].prefix))
			return refuse_mapping(m, refused[i].what);
	if (m->vm_flags & VMF(SS))
		return refuse_mapping(
			m, "a shadow stack: it cannot be checkpointed yet; run the program without (GLIBC_TUNABLES)");
	if (m->vm_flags & VMF(MT))
		return refuse_mapping(m,
				      "memory with tags (MTE): it cannot be checkpointed yet; run the program without "
				      "(GLIBC_TUNABLES)");
	return 0;
}

static uint32_t huge_bits(const struct mapping *m)
{
	unsigned shift = 0;

	while ((1u << shift) < m->kernel_page_size)
		shift++;
	return MAP_HUGETLB | shift << MAP_HUGE_SHIFT;
}

static void set_flags(const struct mapping *m, VmaEntry *vma)
{
	vma->flags = m->shared ? MAP_SHARED : MAP_PRIVATE;
	if (m->vm_flags & VMF(DP))
		vma->flags = MAP_DROPPABLE;
	if (m->vm_flags & VMF(GD))
		vma->flags |= MAP_GROWSDOWN;
	if (m->vm_flags & VMF(LO))
		vma->flags |= MAP_LOCKED;
	/* Before it had a name of its own, it was shown as "??". */
	vma->locked_on_fault = m->vm_flags & VMF(LO) && m->vm_flags & (VMF(LF) | VMF_UNKNOWN);
	vma->has_locked_on_fault = vma->locked_on_fault;
	if (m->vm_flags & VMF(NR))
		vma->flags |= MAP_NORESERVE;
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++)
		if (m->vm_flags & advices[i].flag)
			vma->madv |= 1ull << advices[i].advice;
	vma->has_madv = vma->madv != 0;
}

/* Programs and libraries are mapped in pieces that lie side by side, of one file under one name: only the first is
 * looked at. */
static const VmaEntry *same_file_before(const struct task *task, const struct mapping *m, uint32_t flags)
{
	const struct mapping *before = m - 1;
	const VmaEntry *last;

	if (m == task->dump->mappings.items || !task->mm->n_vmas)
		return NULL;
	last = task->mm->vmas[task->mm->n_vmas - 1];
	if (last->start != before->start || !last->has_fdflags || last->fdflags != flags ||
	    !(last->status & (VMA_FILE_SHARED | VMA_FILE_PRIVATE)) || last->status & VMA_EXT_PLUGIN)
		return NULL;
	return before->end == m->start && before->inode == m->inode && before->dev == m->dev &&
			       before->deleted == m->deleted && before->name && m->name &&
			       !strcmp(before->name, m->name)
		       ? last
		       : NULL;
}

/* The file behind a mapping, opened through the mapping itself: its name may lead elsewhere by now. */
static int dump_file(const struct dump *d, struct task *task, const struct mapping *m, VmaEntry *vma)
{
	char path[64], link[PATH_MAX];
	const char *told = link;
	const VmaEntry *before;
	uint32_t id;

	snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, m->start, m->end);
	/* smaps has newlines as \012, which may as well be in the name. */
	if (strpbrk(m->name, "\n\\") ||
	    snprintf(link, sizeof(link), "%s%s", m->name, m->deleted ? " (deleted)" : "") >= (int)sizeof(link))
		told = NULL;
	/* Writable later by mprotect(2) only if the file is open for writing. */
	vma->has_fdflags = true;
	vma->fdflags = m->shared && (m->vm_flags & VMF(MW)) ? O_RDWR : O_RDONLY;
	before = same_file_before(task, m, vma->fdflags);
	if (before)
		id = (uint32_t)before->shmid;
	else
		TRY(file_dump_path(d, task, path, told, vma->fdflags, &id));
	vma->shmid = id;
	vma->pgoff = m->pgoff;
	vma->status = VMA_REGULAR | (m->shared ? VMA_FILE_SHARED : VMA_FILE_PRIVATE);
	return 0;
}

/* A mapped device: 1 if a plugin takes care of what is in it, 0 if it is none or nobody knows it. */
static int dump_device(const struct dump *d, struct task *task, const struct mapping *m, VmaEntry *vma)
{
	char path[64], link[PATH_MAX];
	AUTO_CLOSE int fd = -1;
	struct stat st;
	uint32_t id;
	int answer;

	snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, m->start, m->end);
	fd = openat(task->dump->proc, path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
	    file_readlink(task->dump->proc, path, link, sizeof(link)) < 0)
		return 0;
	answer = plugins_ask(d->plugins, HANDLE_DEVICE_VMA, fd, &st);
	if (answer == -EOPNOTSUPP)
		return 0;
	TRY(plugins_check(d->plugins, answer));
	vma->has_fdflags = true;
	vma->fdflags = m->shared && (m->vm_flags & VMF(MW)) ? O_RDWR : O_RDONLY;
	TRY(file_dump_device_path(d, task, fd, link, vma->fdflags, &id));
	vma->shmid = id;
	vma->pgoff = m->pgoff;
	vma->status = VMA_REGULAR | VMA_EXT_PLUGIN | (m->shared ? VMA_FILE_SHARED : VMA_FILE_PRIVATE);
	return 1;
}

/* The rings of a packet socket; what is in them is in the socket's record. A private mapping shows the same pages, but
 * those that the program has written to are its own. */
static int dump_rings(const struct dump *d, const struct mapping *m, VmaEntry *vma)
{
	size_t n;
	const struct known_descriptor *known = file_known_descriptors(d, &n);

	for (size_t i = 0; i < n; i++) {
		if (known[i].type != FD_TYPES__PACKETSK || known[i].ino != m->inode)
			continue;
		vma->shmid = known[i].id;
		vma->pgoff = m->pgoff;
		vma->status = VMA_REGULAR | VMA_SOCKET | (m->shared ? VMA_FILE_SHARED : VMA_FILE_PRIVATE);
		vma->has_fdflags = true;
		vma->fdflags = O_RDWR;
		return 0;
	}
	return refuse_mapping(
		m, "memory of a socket that is closed, or that is not a packet socket: it cannot be checkpointed");
}

static bool is_shared_memory(const struct mapping *m)
{
	return text_starts(m->name, "/memfd:") || (m->shared && text_starts(m->name, "/dev/zero") && m->deleted) ||
	       (m->shared && text_starts(m->name, "/anon_hugepage"));
}

static int dump_shared(const struct dump *d, struct task *task, const struct mapping *m, VmaEntry *vma)
{
	uint32_t id;

	TRY(memory_dump_shared(d, task, m, &id));
	vma->shmid = id;
	vma->pgoff = m->pgoff;
	vma->status = VMA_REGULAR | VMA_MEMFD | (m->shared ? VMA_FILE_SHARED : VMA_FILE_PRIVATE);
	vma->has_fdflags = true;
	vma->fdflags = m->shared && !(m->vm_flags & VMF(MW)) ? O_RDONLY : O_RDWR;
	return 0;
}

/* The modes by which a userfaultfd watches it. */
static int dump_watched(const struct dump *d, struct task *task, const struct mapping *m, VmaEntry *vma)
{
	if (m->vm_flags & VMF(UM))
		vma->watched |= UFFDIO_REGISTER_MODE_MISSING;
	if (m->vm_flags & VMF(UW))
		vma->watched |= UFFDIO_REGISTER_MODE_WP;
	if (m->vm_flags & VMF(UI))
		vma->watched |= UFFDIO_REGISTER_MODE_MINOR;
	vma->has_watched = vma->watched != 0;
	if (!vma->watched)
		return 0;
	LOG_SCOPE("mapping %" PRIx64 "-%" PRIx64, m->start, m->end);
	return file_dump_watched(d, task, m);
}

static int classify_mapping(const struct dump *d, struct task *task, const struct mapping *m, VmaEntry *vma)
{
	TRY(check_supported(d, m));
	set_flags(m, vma);
	mapping_dump(d, m, vma);
	if (is_uprobes(m)) {
		vma->status = VMA_REGULAR | VMA_UPROBES;
		return 0;
	}
	TRY(dump_watched(d, task, m, vma));
	for (size_t i = 0; m->name && i < ARRAY_SIZE(special); i++) {
		if (strcmp(m->name, special[i].name) == 0) {
			vma->status = special[i].status;
			vma->flags |= MAP_ANONYMOUS;
			return 0;
		}
	}
	if (m->name && m->name[0] == '/' && plugins_have(d->plugins, CR_PLUGIN_HOOK__HANDLE_DEVICE_VMA)) {
		int taken = dump_device(d, task, m, vma);

		if (taken)
			return taken < 0 ? taken : 0;
	}
	if (m->name && text_starts(m->name, "socket:"))
		return dump_rings(d, m, vma);
	if (bpf_is_mapped(m))
		return bpf_dump_mapping(d, task, m, vma);
	if (uring_is_mapped(m))
		return uring_dump_mapping(d, task, m, vma);
	if (m->vm_flags & (VMF(IO) | VMF(PF)))
		return refuse_mapping(m, "memory of a device: it cannot be checkpointed");
	if (m->inherited_ring) { /* the kernel knows nothing of it in this process: memory to which no call refers */
		vma->status = VMA_REGULAR | VMA_ANON_PRIVATE;
		vma->flags = MAP_PRIVATE | MAP_ANONYMOUS;
		return 0;
	}
	if (aio_is_ring(m))
		return aio_dump(d, task, m, vma);
	if (m->name && m->shared && m->deleted && text_starts(m->name, "/SYSV"))
		return sysv_dump(d, task, m, vma);
	if (m->name && (is_shared_memory(m) || mapping_is_named_shared(m)))
		return dump_shared(d, task, m, vma);
	if (m->vm_flags & VMF(HT))
		vma->flags |= huge_bits(m);
	if (!m->inode || (!m->shared && text_starts(m->name, "/anon_hugepage"))) {
		vma->status = VMA_REGULAR | VMA_ANON_PRIVATE;
		vma->flags |= MAP_ANONYMOUS;
		return 0;
	}
	return dump_file(d, task, m, vma);
}

/* [vvar] and [vvar_vclock] are one mapping for the format. */
static bool joins_area(const VmaEntry *last, const VmaEntry *vma)
{
	return last && last->status & vma->status & VMA_VVAR && last->end == vma->start && last->prot == vma->prot &&
	       last->flags == vma->flags && last->madv == vma->madv;
}

/* --- guard regions (MADV_GUARD_INSTALL, Linux 6.13): a property of page tables --- */

/* A flag of a mapping tells that there may be some, but not on the first kernels that had them. */
struct guards {
	bool untold;
};

static const struct state_type guards_state = { sizeof(struct guards), NULL };

static const struct pagemap_filter guard_filter = { .all = PAGE_IS_GUARD, .ret = PAGE_IS_GUARD };

/* 1: there may be some in it; else 0. */
static int has_guard(const struct page_tables *map, const struct mapping *m)
{
	struct page_region region;
	uint64_t at = m->start;

	while (at < m->end) {
		ssize_t found = pagemap_scan(map, &at, m->end, &guard_filter, &region, 1);

		if (found)
			return found < 0 ? (int)found : 1;
	}
	return 0;
}

/* By all of smaps, which takes half a millisecond. */
static int find_flag_in_all(int proc, uint64_t page, bool *ret)
{
	AUTO(mappings_done) struct mappings own = { 0 };
	const struct mapping *m;

	TRY(mappings_read(proc, MAPPINGS_FULL, &own));
	m = mappings_find(&own, page);
	*ret = m && m->vm_flags & VMF(GU);
	return 0;
}

/* Of a page of ours, which is the first that smaps tells of, if it lies as low as it should. */
static int find_flag(int proc, uint64_t page, bool *ret)
{
	AUTO_CLOSE int fd = openat(proc, "smaps", O_RDONLY | O_CLOEXEC);
	const char *flags;
	char text[4096];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return fail_errno("reading /proc/self/smaps");
	text[n] = 0;
	flags = strstr(text, "VmFlags:");
	if (!flags || strtoull(text, NULL, 16) != page)
		return find_flag_in_all(proc, page, ret);
	*ret = memmem(flags, strcspn(flags, "\n"), " gu ", 4);
	return 0;
}

static int learn_from_own(const struct dump *d, int proc, uint64_t page, struct guards *guards)
{
	const struct mapping own = { .start = page, .end = page + page_size() };
	AUTO(pagemap_close) struct page_tables map = { .fd = -1 };
	bool told;

	TRY(find_flag(proc, page, &told));
	if (told)
		return 0;
	TRY(pagemap_open(&map, proc));
	guards->untold = has_guard(&map, &own) > 0;
	if (!guards->untold)
		dump_report_loss(d, "guard areas (MADV_GUARD_INSTALL), if it has some: this kernel has them, but does "
				    "not tell where they are (Linux 6.15 does)");
	return 0;
}

int memory_guards_learn(struct dump *d)
{
	struct guards *guards = state_make(d->states, &guards_state);
	const uintptr_t low = 1 << 16; /* vm.mmap_min_addr, on most machines; else it lies anywhere */
	void *page = mmap((void *)low, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	AUTO_CLOSE int self = proc_open(getpid());
	int error = 0;

	TRY(self);
	if (page == MAP_FAILED)
		return fail_errno("mapping a page");
	if (madvise(page, page_size(), MADV_GUARD_INSTALL) == 0)
		error = learn_from_own(d, self, (uintptr_t)page, guards);
	munmap(page, page_size());
	return error;
}

/* As the flag would be. */
static int mark_guards(const struct dump *d, const struct task *task)
{
	const struct guards *state = state_find(d->states, &guards_state);
	const struct mappings *mappings = &task->dump->mappings;
	AUTO(pagemap_close) struct page_tables map = { .fd = -1 };

	if (!state || !state->untold)
		return 0;
	TRY(pagemap_open(&map, task->dump->proc));
	for (size_t i = 0; i < mappings->n; i++) {
		struct mapping *m = &mappings->items[i];
		bool never = m->vm_flags & (VMF(HT) | VMF(PF) | VMF(IO)) || m->start > INT64_MAX; /* [vsyscall] */
		int guarded = never ? 0 : has_guard(&map, m);

		TRY(guarded);
		if (guarded)
			m->vm_flags |= VMF(GU);
	}
	return 0;
}

static int dump_guards(const struct dump *d, struct task *task, const struct page_tables *map, const struct mapping *m,
		       VmaEntry **list, size_t *n, size_t capacity)
{
	struct page_region regions[64];
	uint64_t at = m->start;

	while (at < m->end) {
		ssize_t found = pagemap_scan(map, &at, m->end, &guard_filter, regions, ARRAY_SIZE(regions));

		TRY(found);
		for (ssize_t i = 0; i < found; i++) {
			if (*n == capacity)
				return refuse(E2BIG, "mapping %" PRIx64 "-%" PRIx64 " has more than %zu guard regions",
					      m->start, m->end, capacity);
			VmaEntry *guard = list[(*n)++] = pool_new(d->pool, VmaEntry);

			vma_entry__init(guard);
			guard->start = regions[i].start;
			guard->end = regions[i].end;
			guard->flags = MAP_PRIVATE | MAP_ANONYMOUS;
			guard->status = VMA_GUARD;
			guard->fd = -1;
		}
	}
	return 0;
}

#define GUARDS_MAX 65536

static int collect_guards(const struct dump *d, struct task *task, MmEntry *mm)
{
	const struct mappings *mappings = &task->dump->mappings;
	AUTO_FREE VmaEntry **guards = NULL;
	size_t n = 0, with = 0;
	struct page_tables map;
	int error = 0;

	for (size_t i = 0; i < mappings->n; i++)
		with += mappings->items[i].vm_flags & VMF(GU) ? 1 : 0;
	if (!with)
		return 0;
	guards = xmalloc(GUARDS_MAX * sizeof(*guards));
	TRY(pagemap_open(&map, task->dump->proc));
	for (size_t i = 0; i < mappings->n && !error; i++)
		if (mappings->items[i].vm_flags & VMF(GU))
			error = dump_guards(d, task, &map, &mappings->items[i], guards, &n, GUARDS_MAX);
	pagemap_close(&map);
	TRY(error);
	VmaEntry **all = pool_array(d->pool, VmaEntry *, mm->n_vmas + n);

	memcpy(all, mm->vmas, mm->n_vmas * sizeof(*all));
	memcpy(all + mm->n_vmas, guards, n * sizeof(*all));
	mm->vmas = all;
	mm->n_vmas += n;
	return 0;
}

int memory_dump_mappings(const struct dump *d, struct task *task)
{
	const struct mappings *mappings = &task->dump->mappings;
	MmEntry *mm = task->mm;
	VmaEntry *last = NULL;
	int error;

	mm->vmas = pool_array(d->pool, VmaEntry *, mappings->n);
	for (size_t i = 0; i < mappings->n; i++) {
		const struct mapping *m = &mappings->items[i];
		VmaEntry *vma = pool_new(d->pool, VmaEntry);

		vma_entry__init(vma);
		vma->start = m->start;
		vma->end = m->end;
		vma->prot = m->prot | (m->vm_flags & VMF(BT) ? ARCH_PROT_GUARDED : 0);
		vma->fd = -1;
		error = classify_mapping(d, task, m, vma);
		TRY(dump_go_on(d, error));
		if (error < 0)
			continue;
		if (joins_area(last, vma)) {
			last->end = vma->end;
			continue;
		}
		mm->vmas[mm->n_vmas++] = last = vma;
	}
	return collect_guards(d, task, mm);
}

int memory_read_mappings(const struct dump *d, struct task *task)
{
	int result = memory_flags_read(d, task);

	TRY(result);
	if (!result)
		TRY(mappings_read(task->dump->proc, MAPPINGS_FULL, &task->dump->mappings));
	return mark_guards(d, task);
}
