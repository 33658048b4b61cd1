/* SPDX-License-Identifier: GPL-2.0-only */
/* crit x DIR mems and rss: what is mapped, and which pages were saved. */
#include "crit/explore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/table.h"
#include "image/pagemap-image.h"

#include "image/record.h"
#include "mm.pb-c.h"

/* Bits of vma_entry.status. */
enum vma_status {
	VMA_REGULAR = 1 << 0,
	VMA_STACK = 1 << 1,
	VMA_VSYSCALL = 1 << 2,
	VMA_VDSO = 1 << 3,
	VMA_FILE_PRIVATE = 1 << 6,
	VMA_FILE_SHARED = 1 << 7,
	VMA_ANON_SHARED = 1 << 8,
	VMA_SYSVIPC = 1 << 10,
	VMA_SOCKET = 1 << 11,
};

static int load_mm(const struct checkpoint *checkpoint, const struct crit_task *task, MmEntry **ret)
{
	int error = image_read_one(checkpoint->store, IMAGE_MM, ret, task->entry->pid);

	return error == -ENOENT ? refuse(ENOENT, "mm-%u.img is missing", task->entry->pid) : error;
}

/* Objects are counted from 1 in the order in which the report meets them. */
struct numbers {
	struct table *seen[3];
};

enum { NUMBER_SYSVIPC, NUMBER_SHMEM, NUMBER_PACKET };

static uintptr_t count_object(struct numbers *numbers, unsigned kind, uint64_t id)
{
	void *found = table_find(numbers->seen[kind], id);
	uintptr_t number = found ? (uintptr_t)found : table_count(numbers->seen[kind]) + 1;

	if (!found)
		table_set(numbers->seen[kind], id, (void *)number);
	return number;
}

static void print_object(const struct checkpoint *checkpoint, struct numbers *numbers, const VmaEntry *vma,
			 struct buffer *out)
{
	uint32_t status = vma->status;

	if (status & VMA_SYSVIPC)
		buffer_printf(out, " ips[%" PRIxPTR "]", count_object(numbers, NUMBER_SYSVIPC, vma->shmid));
	else if (status & VMA_ANON_SHARED)
		buffer_printf(out, " shmem[%" PRIxPTR "]", count_object(numbers, NUMBER_SHMEM, vma->shmid));
	else if (status & VMA_SOCKET)
		buffer_printf(out, " packet[%" PRIxPTR "]", count_object(numbers, NUMBER_PACKET, vma->shmid));
	else if (status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED)) {
		buffer_printf(out, " %s", checkpoint_find_path(checkpoint, vma->shmid));
		if (vma->pgoff)
			buffer_printf(out, " + 0x%" PRIx64, vma->pgoff);
		if (status & VMA_FILE_SHARED)
			buffer_printf(out, " (s)");
	} else if (status & VMA_STACK)
		buffer_printf(out, " [stack]");
	else if (status & VMA_VSYSCALL)
		buffer_printf(out, " [vsyscall]");
	else if (status & VMA_VDSO)
		buffer_printf(out, " [vdso]");
	else if (vma->flags & MAP_GROWSDOWN)
		buffer_printf(out, " [stack?]");
	if (!(status & VMA_REGULAR))
		buffer_printf(out, " *");
}

int explore_mappings(const struct checkpoint *checkpoint, const struct crit_task *task, struct buffer *out)
{
	struct numbers numbers = { { table_create(), table_create(), table_create() } };
	MmEntry *mm;
	int error = load_mm(checkpoint, task, &mm);

	if (error == 0)
		buffer_printf(out, "\t%-36s    %s\n", "exe", checkpoint_find_path(checkpoint, mm->exe_file_id));
	for (size_t i = 0; error == 0 && i < mm->n_vmas; i++) {
		const VmaEntry *vma = mm->vmas[i];
		char range[64];

		snprintf(range, sizeof(range), "%08" PRIx64 "-%08" PRIx64, vma->start, vma->end);
		buffer_printf(out, "\t%-36s%c%c%c", range, vma->prot & PROT_READ ? 'r' : '-',
			      vma->prot & PROT_WRITE ? 'w' : '-', vma->prot & PROT_EXEC ? 'x' : '-');
		print_object(checkpoint, &numbers, vma, out);
		buffer_append(out, "\n", 1);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(numbers.seen); i++)
		table_destroy(&numbers.seen[i]);
	return error;
}

/* One mapping below a range of pages; *seen is the mapping that was named last. */
static void print_covered(const struct checkpoint *checkpoint, const VmaEntry *vma, const VmaEntry **seen,
			  struct buffer *out)
{
	char range[64];

	if (vma == *seen) {
		buffer_printf(out, " ~");
		return;
	}
	snprintf(range, sizeof(range), " %08" PRIx64 " / %-8" PRIu64, vma->start,
		 (vma->end - vma->start) / (uint64_t)sysconf(_SC_PAGESIZE));
	buffer_printf(out, "%s", range);
	if (vma->status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED))
		buffer_printf(out, " %s", checkpoint_find_path(checkpoint, vma->shmid));
	*seen = vma;
}

static void print_range(const struct checkpoint *checkpoint, const MmEntry *mm, const struct page_range *pages,
			size_t *first, const VmaEntry **seen, struct buffer *out)
{
	uint64_t end = pages->start + pages->nr_pages * (uint64_t)sysconf(_SC_PAGESIZE);
	bool continues = false;
	char range[64];

	snprintf(range, sizeof(range), "%" PRIx64 " / %" PRIu64, pages->start, pages->nr_pages);
	buffer_printf(out, "\t%-24s", range);
	while (*first < mm->n_vmas && mm->vmas[*first]->end <= pages->start)
		++*first;
	for (size_t i = *first; i < mm->n_vmas && mm->vmas[i]->start < end; i++) {
		if (continues)
			buffer_printf(out, "\n\t%23s", "");
		print_covered(checkpoint, mm->vmas[i], seen, out);
		continues = true;
	}
	buffer_append(out, "\n", 1);
}

int explore_pages(const struct checkpoint *checkpoint, const struct crit_task *task, struct buffer *out)
{
	AUTO(pagemap_done) struct pagemap pagemap = { 0 };
	const VmaEntry *seen = NULL;
	size_t first = 0;
	MmEntry *mm;
	int error = pagemap_read(checkpoint->store, IMAGE_PAGEMAP, task->entry->pid, &pagemap);

	if (error == -ENOENT)
		return 0;
	TRY(error);
	TRY(load_mm(checkpoint, task, &mm));
	for (size_t i = 0; i < pagemap.n; i++)
		print_range(checkpoint, mm, &pagemap.ranges[i], &first, &seen, out);
	return 0;
}
