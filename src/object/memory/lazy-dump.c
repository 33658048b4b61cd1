/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that stays with its stopped task when all else is dumped, and is read when a page server's client asks for it.
 */
#include "object/memory/lazy-dump.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "arch_regs.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/log.h"
#include "base/vector.h"
#include "kern/proc/maps.h"
#include "object/memory/memory.h"
#include "pages/save.h"
#include "pages/supply.h"
#include "session/session.h"
#include "session/state.h"
#include "session/stats.h"

/* What is left of one task. */
struct left_task {
	pid_t pid, vpid;
	int mem; /* /proc/PID/mem */
	page_range_list ranges;
};

struct lazy_dump {
	struct page_supply supply;
	VECTOR(struct left_task) tasks;
};

typedef VECTOR(uint64_t) address_list;

static int compare_addresses(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* A thread will need the page that its stack ends in at once. */
static void find_stack_pages(const struct task *task, address_list *pages)
{
	struct thread *thread;

	for_each_thread(thread, task)
		*vector_push(pages) = arch_state_sp(thread->dump->state) / page_size() * page_size();
	qsort(pages->items, pages->n, sizeof(*pages->items), compare_addresses);
}

static bool may_be_left(const struct task *task, uint64_t start)
{
	const struct mapping *mapping = mappings_find(&task->dump->mappings, start);

	/*
	 * Locked memory must be there from the beginning; what a userfaultfd of the program watches cannot have a
	 * second one; of what is wiped by fork(2), a child must not be given the pages of its parent.
	 */
	return mapping && !(mapping->vm_flags & (VMF(LO) | VMF(WF) | VMF(HT) | VMF(SS))) &&
	       (mapping->tracked || !(mapping->vm_flags & (VMF(UM) | VMF(UW) | VMF(UI))));
}

static void add_part(page_range_list *list, uint64_t start, uint64_t end, uint32_t flags)
{
	if (start < end)
		*vector_push(list) =
			(struct page_range){ .start = start, .nr_pages = (end - start) / page_size(), .flags = flags };
}

/* All of the range stays with the task, but the pages of stacks. */
static void leave_range(const struct page_range *range, const address_list *stacks, page_range_list *to,
			page_range_list *left)
{
	const uint64_t end = range->start + range->nr_pages * page_size();
	uint64_t at = range->start;

	for (size_t i = 0; i < stacks->n && at < end; i++) {
		const uint64_t page = stacks->items[i];

		if (page < at || page >= end)
			continue;
		add_part(to, at, page, PE_LAZY);
		add_part(left, at, page, PE_LAZY);
		add_part(to, page, page + page_size(), range->flags & ~(uint32_t)PE_LAZY);
		at = page + page_size();
	}
	add_part(to, at, end, PE_LAZY);
	add_part(left, at, end, PE_LAZY);
}

/* What is in the images is not asked for here. */
static void keep_range(const struct page_range *range, page_range_list *to)
{
	struct page_range *kept = vector_push(to);

	*kept = *range;
	if (kept->flags & PE_PRESENT)
		kept->flags &= ~(uint32_t)PE_LAZY;
}

static void forget_left(void *state)
{
	struct lazy_dump *lazy = state;

	for (size_t i = 0; i < lazy->tasks.n; i++) {
		if (lazy->tasks.items[i].mem >= 0)
			close(lazy->tasks.items[i].mem);
		vector_done(&lazy->tasks.items[i].ranges);
	}
	vector_done(&lazy->tasks);
}

static const struct state_type lazy_dump_state = { sizeof(struct lazy_dump), forget_left };

static struct lazy_dump *lazy_state(struct dump *d)
{
	return state_find(d->states, &lazy_dump_state) ?: state_make(d->states, &lazy_dump_state);
}

int memory_lazy_leave(struct dump *d, struct task *task, page_range_list *ranges)
{
	page_range_list kept = { 0 };
	address_list stacks = { 0 };
	struct left_task *left;

	if (!d->options->lazy_pages)
		return 0;
	left = vector_push(&lazy_state(d)->tasks);
	*left = (struct left_task){ .pid = task->pid, .vpid = task->vpid };
	left->mem = openat(task->dump->proc, "mem", O_RDONLY | O_CLOEXEC);
	if (left->mem < 0)
		return fail_errno("cannot open its memory");
	find_stack_pages(task, &stacks);
	for (size_t i = 0; i < ranges->n; i++) {
		const struct page_range *range = &ranges->items[i];

		if ((range->flags & PE_LAZY) && (range->flags & PE_PRESENT) && may_be_left(task, range->start))
			leave_range(range, &stacks, &kept, &left->ranges);
		else
			keep_range(range, &kept);
	}
	vector_done(&stacks);
	for (size_t i = 0; i < left->ranges.n; i++)
		d->stats->pages_lazy += left->ranges.items[i].nr_pages;
	vector_done(ranges);
	*ranges = kept;
	return 0;
}

/* --- while it is served --- */

static const struct page_range *find_left(const struct left_task *task, uint64_t start)
{
	size_t low = 0, high = task->ranges.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct page_range *range = &task->ranges.items[middle];

		if (range->start + range->nr_pages * page_size() <= start)
			low = middle + 1;
		else if (range->start > start)
			high = middle;
		else
			return range;
	}
	return NULL;
}

static int read_left(const struct left_task *task, uint64_t start, size_t size, char *to)
{
	const struct iovec local = { to, size }, remote = { (void *)(uintptr_t)start, size };
	ssize_t done = process_vm_readv(task->pid, &local, 1, &remote, 1, 0);

	if (done < 0)
		done = 0;
	/* What has no permission to be read is read through this. */
	if ((size_t)done < size) {
		ssize_t rest = io_pread(task->mem, to + done, size - (size_t)done, (off_t)start + done);

		if (rest < 0)
			return fail((int)-rest, "task %d: cannot read its memory at %#" PRIx64, task->vpid, start);
		done += rest;
	}
	return (size_t)done < size ? refuse(ESRCH, "task %d: its memory is gone", task->vpid) : 0;
}

static int64_t read_supply(struct page_supply *supply, uint64_t pid, uint64_t start, uint64_t nr_pages, void *to)
{
	const struct lazy_dump *lazy = (const struct lazy_dump *)supply;

	for (size_t i = 0; i < lazy->tasks.n; i++) {
		const struct left_task *task = &lazy->tasks.items[i];
		const struct page_range *range = (uint64_t)task->vpid == pid ? find_left(task, start) : NULL;
		uint64_t there;

		if (!range)
			continue;
		there = range->nr_pages - (start - range->start) / page_size();
		if (nr_pages > there)
			nr_pages = there;
		TRY(read_left(task, start, nr_pages * page_size(), to));
		return (int64_t)nr_pages;
	}
	return refuse(ENOENT,
		      "the client asks for the page at %#" PRIx64 " of task %" PRIu64 ", which was not left here",
		      start, pid);
}

struct page_supply *memory_lazy_supply(struct dump *d)
{
	struct lazy_dump *lazy = lazy_state(d);

	lazy->supply.read = read_supply;
	return &lazy->supply;
}
