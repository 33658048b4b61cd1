/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that many copies of a checkpoint share: filled once, inherited copy-on-write. */
#include "object/memory/template/template.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/table.h"
#include "base/vector.h"
#include "kern/syscalls.h"
#include "object/memory/content-restore.h"
#include "object/memory/hole.h"
#include "object/memory/mappings-restore.h"
#include "pages/fill.h"
#include "pages/mover.h"
#include "pages/reader.h"

#define HUGE_SIZE (2ull << 20)
/* Smaller ones are filled in each copy: a mapping more costs more than its pages. */
#define CONTENT_MIN (64u << 10)
/* Of address space. A mapping that is larger is nearly empty. */
#define PIECE_MAX (1ull << 40)
#define TOTAL_MAX (1ull << 44)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

/* One mapping of one task. */
struct piece {
	const struct task *task; /* of the session that made the template; vpid stays true after it */
	const VmaEntry *vma;
	pid_t vpid;
	uint64_t start, end, at;
	bool dropped; /* the copies do better without */
};

struct memory_template {
	struct address_range range;
	VECTOR(struct piece) pieces;
	struct table *by_place; /* vpid, start → struct piece */
};

/* The first range that does not end below the address. */
static size_t first_range(const struct page_reader *reader, uint64_t address)
{
	size_t low = 0, high = reader->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (reader->ranges[middle].start + reader->ranges[middle].size <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint64_t content_of(const struct page_reader *reader, uint64_t start, uint64_t end)
{
	uint64_t size = 0;

	for (size_t i = first_range(reader, start); i < reader->n && reader->ranges[i].start < end; i++) {
		const struct stored_range *range = &reader->ranges[i];
		uint64_t from = range->start > start ? range->start : start;
		uint64_t to = range->start + range->size < end ? range->start + range->size : end;

		size += to > from ? to - from : 0;
	}
	return size;
}

/* mremap(2) takes flags of a mapping along, but copies of locked or watched memory would be full ones at once, and huge
 * pages of hugetlbfs are few. */
static bool can_be_shared(const VmaEntry *vma)
{
	return memory_is_private(vma) && vma->status & VMA_ANON_PRIVATE && !vma->watched &&
	       !(vma->flags & (MAP_HUGETLB | MAP_GROWSDOWN | MAP_LOCKED | MAP_DROPPABLE)) &&
	       vma->end - vma->start <= PIECE_MAX;
}

static void choose_pieces(struct restore *r, struct memory_template *template)
{
	struct task *task;

	for_each_task(task, r->tree) {
		const struct memory_restore *memory = task_is_live(task) ? memory_restore_of(task) : NULL;

		if (!memory || task->restore->memory_from)
			continue;
		for (size_t i = 0; i < memory->n; i++) {
			const VmaEntry *vma = memory->mappings[i].vma;

			if (can_be_shared(vma) && content_of(memory->content, vma->start, vma->end) >= CONTENT_MIN)
				*vector_push(&template->pieces) =
					(struct piece){ .task = task, .vma = vma, .vpid = task->vpid };
		}
	}
}

/* Room for all, each as far from a border of huge pages as at its place: so whole page tables are moved. */
static int lay_out(struct restore *r, struct memory_template *template)
{
	uint64_t size = 0, at, found;

	for (size_t i = 0; i < template->pieces.n; i++) {
		const VmaEntry *vma = template->pieces.items[i].vma;

		size += vma->end - vma->start + 2 * HUGE_SIZE;
	}
	if (!size)
		return 0;
	if (size > TOTAL_MAX)
		return refuse(ENOMEM, "the mappings of all tasks are %" PRIu64 " GiB: too much for --copies",
			      size >> 30);
	size += HUGE_SIZE;
	TRY(memory_find_hole(r, size, size, ARENA_SMALL, &at, &found));
	if (mmap((void *)at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
		 0) == MAP_FAILED)
		return fail_errno("reserving %" PRIu64 " MiB of address space for what the copies share", size >> 20);
	template->range = (struct address_range){ at, at + size };
	for (size_t i = 0; i < template->pieces.n; i++) {
		struct piece *piece = &template->pieces.items[i];

		piece->start = piece->vma->start;
		piece->end = piece->vma->end;
		table_set2(template->by_place, (uint64_t)piece->vpid, piece->start, piece);
		at = (at + HUGE_SIZE - 1) / HUGE_SIZE * HUGE_SIZE + piece->start % HUGE_SIZE;
		piece->at = at;
		at += piece->end - piece->start;
	}
	return 0;
}

/* The kernel would collapse pages all the same. */
static bool huge_pages_are_off(void)
{
	char mode[64];

	return file_read_text(AT_FDCWD, "/sys/kernel/mm/transparent_hugepage/enabled", mode, sizeof(mode)) < 0 ||
	       strstr(mode, "[never]");
}

/* A fork copies 512 entries of a page table for each huge page less. Only whole ones, so they take no more memory. */
static void make_huge(const struct piece *piece, const struct page_reader *reader)
{
	uint64_t shift = piece->at - piece->start;

	if (piece->vma->madv & 1ull << MADV_NOHUGEPAGE || huge_pages_are_off())
		return;
	for (size_t i = first_range(reader, piece->start); i < reader->n && reader->ranges[i].start < piece->end; i++) {
		const struct stored_range *range = &reader->ranges[i];
		uint64_t end = range->start + range->size < piece->end ? range->start + range->size : piece->end;
		uint64_t start = range->start > piece->start ? range->start : piece->start;

		start = (start + HUGE_SIZE - 1) / HUGE_SIZE * HUGE_SIZE;
		end = end / HUGE_SIZE * HUGE_SIZE;
		if (end <= start)
			continue;
		for (uint64_t at = start; at < end; at += HUGE_SIZE)
			*(volatile char *)(uintptr_t)(at + shift) = 0; /* there must be something to collapse */
		(void)madvise((void *)(uintptr_t)(start + shift), end - start, MADV_COLLAPSE);
	}
}

/* The ranges of the piece, at their addresses here. Whoever reads on in other pieces cuts its own. */
static int fill_piece(struct restore *r, const struct piece *piece, const struct page_reader *reader)
{
	const struct page_target target = { getpid(), -1, -1 };
	AUTO_FREE struct stored_range *ranges = xmalloc((reader->n + 1) * sizeof(*ranges));
	struct pages_filled filled;
	size_t n = 0;

	for (size_t i = first_range(reader, piece->start); i < reader->n && reader->ranges[i].start < piece->end; i++) {
		struct stored_range range = reader->ranges[i];
		uint64_t end = range.start + range.size;

		if (range.start < piece->start) {
			range.offset += piece->start - range.start;
			range.start = piece->start;
		}
		range.size = (end < piece->end ? end : piece->end) - range.start;
		range.start += piece->at - piece->start;
		range.how = PAGE_FRESH;
		ranges[n++] = range;
	}
	return pages_fill(memory_mover(r), &target, ranges, n, &filled);
}

static int make_piece(struct restore *r, const struct piece *piece)
{
	const struct page_reader *reader = memory_restore_of(piece->task)->content;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | (int)(piece->vma->flags & MAP_NORESERVE);

	LOG_SCOPE("task %d (%s)", piece->task->vpid, piece->task->comm);
	if (mmap((void *)piece->at, piece->end - piece->start, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
		return fail_errno("mapping %" PRIu64 " KiB of memory for the copies",
				  (piece->end - piece->start) >> 10);
	if (piece->vma->madv & 1ull << MADV_NOHUGEPAGE)
		(void)madvise((void *)piece->at, piece->end - piece->start, MADV_NOHUGEPAGE);
	make_huge(piece, reader);
	return fill_piece(r, piece, reader);
}

/* The same mapping of the task that forks this one: it is inherited. */
static const struct piece *find_of_creator(const struct memory_template *template, const struct piece *piece)
{
	const struct task *creator = piece->task->restore->creator;
	const struct piece *other =
		creator ? table_find2(template->by_place, (uint64_t)creator->vpid, piece->start) : NULL;

	return other && other->end == piece->end && other->vma->prot == piece->vma->prot &&
			       other->vma->flags == piece->vma->flags && other->vma->madv == piece->vma->madv
		       ? other
		       : NULL;
}

/* A fork that has hardly changed since: it inherits from its parent in each copy, as it did, and gets what differs. */
static void drop_equal(struct memory_template *template, struct piece *piece)
{
	const struct piece *other = find_of_creator(template, piece);
	const struct page_reader *reader = memory_restore_of(piece->task)->content;
	uint64_t all = 0, equal = 0;
	size_t page = page_size();

	if (!other || other->dropped)
		return;
	for (size_t i = first_range(reader, piece->start); i < reader->n && reader->ranges[i].start < piece->end; i++) {
		const struct stored_range *range = &reader->ranges[i];

		for (uint64_t at = range->start; at < range->start + range->size; at += page) {
			if (at < piece->start || at >= piece->end)
				continue;
			all++;
			equal += !memcmp((void *)(uintptr_t)(at - piece->start + piece->at),
					 (void *)(uintptr_t)(at - piece->start + other->at), page);
		}
	}
	if (equal < all / 2)
		return;
	piece->dropped = true;
	(void)mmap((void *)piece->at, piece->end - piece->start, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

int memory_template_make(struct restore *r, struct memory_template **ret)
{
	struct memory_template *template = *ret = xzalloc(sizeof(*template));
	uint64_t size = 0;

	template->by_place = table_create();
	choose_pieces(r, template);
	TRY(lay_out(r, template));
	for (size_t i = 0; i < template->pieces.n; i++) {
		struct piece *piece = &template->pieces.items[i];

		TRY(make_piece(r, piece));
		drop_equal(template, piece);
		size += piece->dropped ? 0 : piece->end - piece->start;
	}
	log_info("The copies share %zu mappings of %" PRIu64 " KiB", template->pieces.n, size >> 10);
	return 0;
}

void memory_template_destroy(struct memory_template **template)
{
	struct memory_template *gone = TAKE_PTR(*template);

	if (!gone)
		return;
	if (gone->range.end)
		munmap((void *)gone->range.start, gone->range.end - gone->range.start);
	table_destroy(&gone->by_place);
	vector_done(&gone->pieces);
	free(gone);
}

int memory_template_pass_on(const struct memory_template *template, bool yes)
{
	const struct address_range range = template->range;

	if (range.end && madvise((void *)range.start, range.end - range.start, yes ? MADV_DOFORK : MADV_DONTFORK) < 0)
		return fail_errno("choosing who inherits the memory that the copies share");
	return 0;
}

struct address_range memory_template_range(const struct memory_template *template)
{
	return template ? template->range : (struct address_range){ 0 };
}

uint64_t memory_template_find(const struct memory_template *template, const struct task *task, const VmaEntry *vma)
{
	const struct piece *piece = template && template->by_place
					    ? table_find2(template->by_place, (uint64_t)task->vpid, vma->start)
					    : NULL;

	return piece && !piece->dropped ? piece->at : 0;
}
