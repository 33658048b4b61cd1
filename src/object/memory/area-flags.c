/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What smaps tells of areas, without having the kernel print and look at all pages while tasks stand still. Nothing
 * else tells the flags of an area by name. But a BPF iterator tells them as bits (kern/proc/areas.h), and before
 * anything stands still smaps tells which names go with which bits: the names depend on nothing else. In the freeze the
 * bits and maps are enough. Bits that were not seen before, huge pages of hugetlbfs, anything odd: then smaps is read.
 *
 * Thousands of areas have the same few flags. So smaps is read only until all bits that the task has are known, where
 * that saves much: if it is many areas that make it long, and not many pages. Which pages there are is then unknown.
 */
#include "object/memory/area-flags.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/vector.h"
#include "kern/proc/areas.h"
#include "kern/proc/maps.h"
#include "kern/proc/proc.h"
#include "kern/proc/running.h"
#include "session/session.h"
#include "session/state.h"

/* To print an area in smaps, and to look at one of its pages, in ns; and what is worth it, to be done before. */
#define AREA_NS	 2500
#define PAGE_NS	 60
#define WORTH_NS 4000000
/* Where so many tasks have little, the others are not looked for. */
#define SMALL_MAX 64

struct meaning {
	uint64_t bits, vm_flags;
	int32_t pkey;
};

struct seen_task {
	pid_t pid;
	struct mappings mappings; /* some, or all */
	uint64_t pages, private_kb;
};

struct area_flags {
	struct area_reader *reader; /* NULL: it cannot be done, or nobody was worth it */
	bool all;		    /* tasks, whether it is worth it or not */
	unsigned n_small;
	VECTOR(struct meaning) meanings;
	VECTOR(struct seen_task) tasks;
};

static void destroy_flags(void *state)
{
	struct area_flags *flags = state;

	area_reader_destroy(&flags->reader);
	vector_done(&flags->meanings);
	for (size_t i = 0; i < flags->tasks.n; i++)
		mappings_done(&flags->tasks.items[i].mappings);
	vector_done(&flags->tasks);
}

static const struct state_type flags_state = { sizeof(struct area_flags), destroy_flags };

/* There are a few dozens of them. */
static const struct meaning *find_meaning(const struct area_flags *flags, uint64_t bits)
{
	for (size_t i = 0; i < flags->meanings.n; i++)
		if (flags->meanings.items[i].bits == bits)
			return &flags->meanings.items[i];
	return NULL;
}

/* --- before the freeze --- */

static const struct area *find_area(const area_list *areas, const struct mapping *m)
{
	size_t low = 0, high = areas->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (areas->items[middle].start < m->start)
			low = middle + 1;
		else
			high = middle;
	}
	return low < areas->n && areas->items[low].start == m->start && areas->items[low].end == m->end
		       ? &areas->items[low]
		       : NULL;
}

/* One name for each bit; those of a protection key have none. False: two names for the same. */
static bool learn_meaning(struct area_flags *flags, uint64_t bits, const struct mapping *m)
{
	const struct meaning *known = find_meaning(flags, bits);

	if (known)
		return known->vm_flags == m->vm_flags && known->pkey == m->pkey;
	if (m->vm_flags & VMF_UNKNOWN ||
	    __builtin_popcountll(bits) != __builtin_popcountll(m->vm_flags) + __builtin_popcount((unsigned)m->pkey))
		return true;
	*vector_push(&flags->meanings) = (struct meaning){ bits, m->vm_flags, m->pkey };
	return true;
}

/* Bits that nothing has been learnt of. */
struct lesson {
	const area_list *areas;
	VECTOR(uint64_t) unknown;
	size_t next; /* mapping to be looked at */
};

static size_t find_unknown(const struct lesson *lesson, uint64_t bits)
{
	size_t i = 0;

	while (i < lesson->unknown.n && lesson->unknown.items[i] != bits)
		i++;
	return i;
}

static void list_unknown(const struct area_flags *flags, struct lesson *lesson)
{
	for (size_t i = 0; i < lesson->areas->n; i++) {
		const uint64_t bits = lesson->areas->items[i].flags;

		if (find_unknown(lesson, bits) == lesson->unknown.n && !find_meaning(flags, bits))
			*vector_push(&lesson->unknown) = bits;
	}
}

static bool knows_enough(void *arg, const struct mappings *mappings)
{
	struct lesson *lesson = arg;

	for (; lesson->next < mappings->n; lesson->next++) {
		const struct area *area = find_area(lesson->areas, &mappings->items[lesson->next]);
		size_t at = area ? find_unknown(lesson, area->flags) : lesson->unknown.n;

		if (at < lesson->unknown.n)
			lesson->unknown.items[at] = lesson->unknown.items[--lesson->unknown.n];
	}
	return !lesson->unknown.n;
}

/* With --live it matters what is in which mapping. */
static int read_smaps(const struct area_flags *flags, int proc, const area_list *areas, struct seen_task *seen)
{
	const bool all = flags->all || seen->pages * PAGE_NS > areas->n * AREA_NS;
	struct lesson lesson = { .areas = areas };
	int result;

	if (all)
		return mappings_read_running(proc, MAPPINGS_FULL, &seen->mappings);
	list_unknown(flags, &lesson);
	result = mappings_read_some(proc, knows_enough, &lesson, &seen->mappings);
	vector_done(&lesson.unknown);
	return result;
}

/* The bits before and after smaps was read: of areas that have changed meanwhile nothing is learnt. */
static bool learn_from(struct area_flags *flags, int proc, struct seen_task *seen)
{
	const struct mappings *mappings = &seen->mappings;
	area_list before = { 0 }, after = { 0 };
	bool right = true;

	if (area_reader_read(flags->reader, seen->pid, UINT64_MAX, &before) == 0 &&
	    read_smaps(flags, proc, &before, seen) == 0 && mappings->n &&
	    area_reader_read(flags->reader, seen->pid, mappings->items[mappings->n - 1].end, &after) == 0)
		for (size_t i = 0; i < mappings->n && right; i++) {
			const struct mapping *m = &mappings->items[i];
			const struct area *first = find_area(&before, m), *last = find_area(&after, m);

			if (first && last && first->flags == last->flags)
				right = learn_meaning(flags, first->flags, m);
		}
	vector_done(&before);
	vector_done(&after);
	return right;
}

/* What stacks, the vdso and the pieces of programs have comes last in smaps; criu itself has that, too. */
static bool learn_from_self(struct area_flags *flags)
{
	struct seen_task own = { .pid = getpid(), .pages = UINT32_MAX };
	AUTO_CLOSE int proc = proc_open(own.pid);
	bool right = proc < 0 || learn_from(flags, proc, &own);

	mappings_done(&own.mappings);
	return right;
}

static void count_pages(int proc, struct seen_task *ret)
{
	unsigned long pages, of_files;
	char text[128];

	if (file_read_text(proc, "statm", text, sizeof(text)) < 0 ||
	    sscanf(text, "%*s %lu %lu", &pages, &of_files) != 2)
		return;
	ret->pages = pages;
	ret->private_kb = pages > of_files ? (pages - of_files) * ((uint64_t)sysconf(_SC_PAGESIZE) >> 10) : 0;
}

static bool is_worth_it(int proc, uint64_t pages)
{
	const uint64_t of_pages = pages * PAGE_NS;
	AUTO_CLOSE int fd = openat(proc, "maps", O_RDONLY | O_CLOEXEC);
	uint64_t areas = 0;
	char text[16384];
	ssize_t n;

	while (of_pages + areas * AREA_NS < WORTH_NS && fd >= 0 && (n = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < n; i++)
			areas += text[i] == '\n';
	return of_pages + areas * AREA_NS >= WORTH_NS;
}

static bool learn_from_task(void *arg, pid_t pid, int proc)
{
	struct area_flags *flags = arg;
	struct seen_task task = { .pid = pid }, *seen;

	count_pages(proc, &task);
	if (!flags->all && !is_worth_it(proc, task.pages))
		return ++flags->n_small == SMALL_MAX;
	if (!flags->reader) {
		flags->reader = area_reader_create();
		if (flags->reader && !learn_from_self(flags))
			area_reader_destroy(&flags->reader);
	}
	if (!flags->reader)
		return true;
	seen = vector_push(&flags->tasks);
	*seen = task;
	if (!learn_from(flags, proc, seen))
		area_reader_destroy(&flags->reader);
	return !flags->reader;
}

void memory_flags_learn(struct dump *d, bool all)
{
	struct area_flags *flags = state_make(d->states, &flags_state);

	flags->all = all;
	running_visit_tree(d->options->pid, d->task_iter, NULL, learn_from_task, flags);
	log_debug("The bits of areas are %s", flags->reader ? "known" : "not known: smaps is read");
}

/* --- in it --- */

static const struct seen_task *seen_before(const struct area_flags *flags, pid_t pid)
{
	for (size_t i = 0; i < flags->tasks.n; i++)
		if (flags->tasks.items[i].pid == pid)
			return &flags->tasks.items[i];
	return NULL;
}

static uint64_t page_at_least(uint64_t kb)
{
	const uint64_t page_kb = (uint64_t)sysconf(_SC_PAGESIZE) >> 10;

	return kb > page_kb ? kb : page_kb;
}

static bool complete_mapping(const struct area_flags *flags, const struct area *area, const struct mapping *before,
			     struct mapping *m)
{
	const struct meaning *meaning = find_meaning(flags, area->flags);

	if (area->start != m->start || area->end != m->end || !meaning || meaning->vm_flags & VMF(HT))
		return false;
	m->vm_flags = meaning->vm_flags;
	m->pkey = meaning->pkey;
	m->kernel_page_size = (uint32_t)sysconf(_SC_PAGESIZE);
	m->no_policy = !area->policy && !m->shared && !m->inode && !m->dev;
	if (m->shared)
		return true;
	/* Whether anything is in them decides whether a child can keep the memory. */
	if (flags->all && m->vm_flags & (VMF(WF) | VMF(DC)) && !(before && before->anonymous_kb))
		return false;
	m->anonymous_kb = page_at_least(before ? before->anonymous_kb : 0);
	m->swap_kb = before ? before->swap_kb : 0;
	m->shared_kb = before ? before->shared_kb : page_at_least(0);
	return true;
}

/* The page that the kernel shows behind all areas is none, and has no flags of any interest. */
static bool complete_all(const struct area_flags *flags, const area_list *areas, const struct mappings *before,
			 struct mappings *mappings)
{
	size_t n = mappings->n;

	if (n && mappings->items[n - 1].name && !strcmp(mappings->items[n - 1].name, "[vsyscall]")) {
		struct mapping *m = &mappings->items[--n];

		m->vm_flags = (m->prot & PROT_READ ? VMF(RD) : 0) | (m->prot & PROT_EXEC ? VMF(EX) : 0);
		m->kernel_page_size = (uint32_t)sysconf(_SC_PAGESIZE);
	}
	if (n != areas->n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!complete_mapping(flags, &areas->items[i], mappings_find(before, mappings->items[i].start),
				      &mappings->items[i]))
			return false;
	return true;
}

int memory_flags_read(const struct dump *d, struct task *task)
{
	const struct area_flags *flags = state_find(d->states, &flags_state);
	const struct seen_task *before = flags && flags->reader ? seen_before(flags, task->pid) : NULL;
	area_list areas = { 0 };
	bool done;

	if (!before || !before->mappings.n)
		return 0;
	if (area_reader_read(flags->reader, task->pid, UINT64_MAX, &areas) < 0)
		return 0;
	TRY(mappings_read(task->dump->proc, MAPPINGS_PLAIN, &task->dump->mappings));
	done = complete_all(flags, &areas, &before->mappings, &task->dump->mappings);
	task->dump->mappings.private_kb = before->private_kb;
	vector_done(&areas);
	if (!done) {
		log_debug("Its areas have bits that were not seen before: smaps is read");
		mappings_done(&task->dump->mappings);
	}
	return done;
}
