// SPDX-License-Identifier: GPL-2.0-only
/* Processes with much memory in small pages, which dump --live copies before they stand still. They change it in turns
 * and in all ways: the memory of all of them is that of one moment, and none is harmed. */
#include <stdatomic.h>

#include "subject.h"

SUBJECT(.seconds = 60, .ways = "unharmed left live", .ignore = "areas preflight")

#define PAGE	  (unsigned)getpagesize()
#define WORDS	  (PAGE / sizeof(uint64_t))
#define PAGES	  64u  /* of each slot, which is changed as a whole, or some of its pages are */
#define SLOTS	  272u /* 68 MiB */
#define MOVED	  16u
#define PROCESSES 3u
#define MORE	  3000u /* steps after the restore */

struct shared {
	_Atomic uint64_t step;	  /* whose turn it is */
	uint64_t last[PROCESSES]; /* of each */
	_Atomic int stop;
};

struct slot {
	uint64_t *memory;
	uint64_t wrote[PAGES]; /* the step that wrote the page; 0: it is zero */
};

struct world {
	unsigned me;
	uint64_t last;
	struct slot slots[SLOTS];
	uint64_t random;
};

static struct shared *shared;

static uint64_t draw(struct world *w, uint64_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random % below;
}

static void check_world(const struct world *w)
{
	CHECK_EQUAL(shared->last[w->me], w->last);
	for (unsigned s = 0; s < SLOTS; s++)
		for (unsigned p = 0; p < PAGES; p++) {
			const uint64_t *page = w->slots[s].memory + p * WORDS;

			CHECK_EQUAL(page[0], w->slots[s].wrote[p]);
			CHECK_EQUAL(page[WORDS - 1], w->slots[s].wrote[p] * 3);
		}
}

/* Small pages, whatever the system says. */
static void map(struct slot *slot)
{
	CHECK(mmap(slot->memory, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) == slot->memory);
	CHECK_EQUAL(madvise(slot->memory, PAGES * PAGE, MADV_NOHUGEPAGE), 0);
	memset(slot->wrote, 0, sizeof(slot->wrote));
}

static void write_page(struct slot *slot, unsigned p, uint64_t step)
{
	slot->memory[p * WORDS] = slot->wrote[p] = step;
	slot->memory[p * WORDS + WORDS - 1] = step * 3;
}

/* --- the ways --- */

static void write_all(struct slot *slot, uint64_t step)
{
	for (unsigned p = 0; p < PAGES; p++)
		write_page(slot, p, step);
}

static void write_some(struct world *w, struct slot *slot, uint64_t step)
{
	for (uint64_t n = draw(w, 8) + 1; n; n--)
		write_page(slot, (unsigned)draw(w, PAGES), step);
}

static void map_anew(struct world *w, struct slot *slot, uint64_t step)
{
	CHECK_EQUAL(munmap(slot->memory, PAGES * PAGE), 0);
	map(slot);
	write_all(slot, step);
}

/* Over what was there: the other one is new then. What has been moved does not merge with what lies beside it, and
 * small mappings are not copied before: so it is a part of the slots only. */
static void move(struct world *w, struct slot *slot, uint64_t step)
{
	struct slot *other = &w->slots[draw(w, MOVED)];

	if (slot >= w->slots + MOVED || other == slot)
		return;
	CHECK(mremap(slot->memory, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other->memory) ==
	      other->memory);
	memcpy(other->wrote, slot->wrote, sizeof(other->wrote));
	map(slot);
	write_all(slot, step);
}

static void cut_and_grow(struct world *w, struct slot *slot, uint64_t step)
{
	CHECK_EQUAL(munmap(slot->memory + PAGES / 2 * WORDS, PAGES / 2 * PAGE), 0);
	CHECK(mremap(slot->memory, PAGES / 2 * PAGE, PAGES * PAGE, 0) == slot->memory);
	memset(slot->wrote + PAGES / 2, 0, PAGES / 2 * sizeof(*slot->wrote));
	CHECK_EQUAL(slot->memory[(PAGES - 1) * WORDS], 0);
	write_all(slot, step);
}

static void protect(struct world *w, struct slot *slot, uint64_t step)
{
	CHECK_EQUAL(mprotect(slot->memory, PAGES * PAGE, draw(w, 2) ? PROT_READ : PROT_NONE), 0);
	CHECK_EQUAL(mprotect(slot->memory, PAGES * PAGE, PROT_READ | PROT_WRITE), 0);
	write_some(w, slot, step);
}

static void drop(struct world *w, struct slot *slot, uint64_t step)
{
	unsigned from = (unsigned)draw(w, PAGES - 2);

	CHECK_EQUAL(madvise(slot->memory + from * WORDS, 2 * PAGE, MADV_DONTNEED), 0);
	memset(slot->wrote + from, 0, 2 * sizeof(*slot->wrote));
	if (draw(w, 2))
		CHECK_EQUAL(slot->memory[from * WORDS], 0); /* maps the page of zeros */
	if (draw(w, 2))
		write_page(slot, from, step);
}

/* The kernel writes to the page. */
static void read_in(struct world *w, struct slot *slot, uint64_t step)
{
	unsigned p = (unsigned)draw(w, PAGES);
	uint64_t *text = must(calloc(1, PAGE));
	int ends[2];

	CHECK_EQUAL(pipe(ends), 0);
	text[0] = step;
	text[WORDS - 1] = step * 3;
	CHECK_EQUAL(write(ends[1], text, PAGE), PAGE);
	CHECK_EQUAL(read(ends[0], slot->memory + p * WORDS, PAGE), PAGE);
	free(text);
	slot->wrote[p] = step;
	close(ends[0]);
	close(ends[1]);
}

static void (*const ways[])(struct world *w, struct slot *slot, uint64_t step) = {
	write_some, write_some, write_some, map_anew, move, cut_and_grow, protect, drop, read_in,
};

static void make_step(struct world *w, uint64_t step)
{
	struct slot *slot = &w->slots[draw(w, SLOTS)];

	CHECK_EQUAL(shared->last[w->me], w->last);
	ways[draw(w, ARRAY_SIZE(ways))](w, slot, step);
	w->last = step;
	shared->last[w->me] = step;
}

static void run_steps(struct world *w)
{
	uint64_t end = 0;

	while (!shared->stop && (!end || shared->step < end)) {
		uint64_t step = shared->step;

		if (step % PROCESSES != w->me) {
			usleep(50);
			continue;
		}
		if (!end && is_restored()) {
			check_world(w);
			end = step + MORE;
		}
		make_step(w, step);
		shared->step = step + 1;
	}
	shared->stop = 1;
	check_world(w);
}

static int be_one(void *arg)
{
	struct world *w = must(mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	char *all = must(mmap(NULL, SLOTS * PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	w->me = (unsigned)(uintptr_t)arg;
	w->random = w->me + 1;
	for (unsigned s = 0; s < SLOTS; s++) {
		w->slots[s].memory = (uint64_t *)(all + s * PAGES * PAGE);
		map(&w->slots[s]);
		write_all(&w->slots[s], 1);
	}
	announce_waiter();
	run_steps(w);
	return 0;
}

int main(void)
{
	pid_t pids[PROCESSES];

	shared = must(mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	for (unsigned i = 0; i < PROCESSES; i++)
		pids[i] = start_child(be_one, (void *)(uintptr_t)i);
	checkpoint_with(PROCESSES);
	for (unsigned i = 0; i < PROCESSES; i++)
		join_child(pids[i], 0);
	return 0;
}
