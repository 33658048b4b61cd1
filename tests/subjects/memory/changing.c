// SPDX-License-Identifier: GPL-2.0-only
/* A program that never stops changing its memory, in all ways that there are, has every page as it left it. */
#include "subject.h"

#include <pthread.h>

SUBJECT(.ignore = "areas fd state", .seconds = 60)

#define PAGE  (unsigned)getpagesize()
#define SLOTS 24u /* mappings that come, go and move */
#define PAGES 48u /* of each */
#define WORDS (PAGE / sizeof(uint64_t))

struct slot {
	uint64_t *memory;
	uint64_t wrote[PAGES]; /* number of the change that wrote the page; 0: it is zero */
};

struct world {
	struct slot slots[SLOTS];
	uint64_t changes;
	uint64_t random;
};

static uint64_t draw(struct world *w, uint64_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random % below;
}

static void paint(uint64_t *page, uint64_t seed)
{
	for (unsigned i = 0; i < WORDS; i++)
		page[i] = seed * 0x9e3779b97f4a7c15ull + i;
}

static void check_page(const uint64_t *page, uint64_t seed)
{
	for (unsigned i = 0; i < WORDS; i++)
		CHECK_EQUAL(page[i], seed ? seed * 0x9e3779b97f4a7c15ull + i : 0);
}

static void check_world(const struct world *w)
{
	for (unsigned s = 0; s < SLOTS; s++)
		for (unsigned p = 0; p < PAGES; p++)
			check_page(w->slots[s].memory + p * WORDS, w->slots[s].wrote[p]);
}

static void map(struct slot *slot, int prot)
{
	CHECK(mmap(slot->memory, PAGES * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == slot->memory);
	memset(slot->wrote, 0, sizeof(slot->wrote));
}

/* --- the ways; each leaves the slot readable and writable --- */

static void write_pages(struct world *w, struct slot *slot)
{
	for (uint64_t n = draw(w, 8) + 1; n; n--) {
		unsigned p = (unsigned)draw(w, PAGES);

		slot->wrote[p] = ++w->changes;
		paint(slot->memory + p * WORDS, w->changes);
	}
}

static void map_anew(struct world *w, struct slot *slot)
{
	CHECK_EQUAL(munmap(slot->memory, PAGES * PAGE), 0);
	map(slot, PROT_READ | PROT_WRITE);
	write_pages(w, slot);
}

/* A range that one call moves must be one mapping for the kernel: halves may be two, as mappings that criu tracks do
 * not merge with others. */
static void move_halves(uint64_t *from, uint64_t *to)
{
	for (unsigned i = 0; i < 2; i++, from += PAGES / 2 * WORDS, to += PAGES / 2 * WORDS)
		CHECK(mremap(from, PAGES / 2 * PAGE, PAGES / 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
}

/* Two mappings change places. */
static void move(struct world *w, struct slot *slot)
{
	struct slot *other = &w->slots[draw(w, SLOTS)];
	uint64_t wrote[PAGES], *away;

	if (other == slot)
		return;
	away = mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(away != MAP_FAILED);
	move_halves(slot->memory, away);
	move_halves(other->memory, slot->memory);
	move_halves(away, other->memory);
	memcpy(wrote, slot->wrote, sizeof(wrote));
	memcpy(slot->wrote, other->wrote, sizeof(wrote));
	memcpy(other->wrote, wrote, sizeof(wrote));
}

static void protect(struct world *w, struct slot *slot)
{
	unsigned from = (unsigned)draw(w, PAGES / 2);

	CHECK_EQUAL(mprotect(slot->memory + from * WORDS, PAGES / 2 * PAGE, draw(w, 2) ? PROT_READ : PROT_NONE), 0);
	CHECK_EQUAL(mprotect(slot->memory + from * WORDS, PAGES / 2 * PAGE, PROT_READ | PROT_WRITE), 0);
	write_pages(w, slot);
}

static void drop(struct world *w, struct slot *slot)
{
	unsigned from = (unsigned)draw(w, PAGES - 4);

	CHECK_EQUAL(madvise(slot->memory + from * WORDS, 4 * PAGE, MADV_DONTNEED), 0);
	memset(slot->wrote + from, 0, 4 * sizeof(*slot->wrote));
	if (draw(w, 2))
		check_page(slot->memory + from * WORDS, 0); /* maps the page of zeros */
}

/* The kernel writes to the page. */
static void read_in(struct world *w, struct slot *slot)
{
	unsigned p = (unsigned)draw(w, PAGES);
	uint64_t *text = must(malloc(PAGE));
	int ends[2];

	CHECK_EQUAL(pipe(ends), 0);
	paint(text, ++w->changes);
	CHECK_EQUAL(write(ends[1], text, PAGE), PAGE);
	CHECK_EQUAL(read(ends[0], slot->memory + p * WORDS, PAGE), PAGE);
	free(text);
	slot->wrote[p] = w->changes;
	close(ends[0]);
	close(ends[1]);
}

/* Half of it goes and comes again. */
static void cut(struct world *w, struct slot *slot)
{
	uint64_t *half = slot->memory + PAGES / 2 * WORDS;

	CHECK_EQUAL(munmap(half, PAGES / 2 * PAGE), 0);
	memset(slot->wrote + PAGES / 2, 0, PAGES / 2 * sizeof(*slot->wrote));
	if (draw(w, 2))
		CHECK(mremap(slot->memory, PAGES / 2 * PAGE, PAGES * PAGE, 0) == slot->memory);
	else
		CHECK(mmap(half, PAGES / 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			   0) == half);
	write_pages(w, slot);
}

static void (*const ways[])(struct world *w, struct slot *slot) = {
	write_pages, write_pages, write_pages, map_anew, move, protect, drop, read_in, cut,
};

static void set_up(struct world *w, uint64_t seed)
{
	const size_t gap = PAGE; /* so that they stay apart */
	char *all = must(mmap(NULL, SLOTS * (PAGES * PAGE + gap), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	memset(w, 0, sizeof(*w));
	w->random = seed;
	for (unsigned s = 0; s < SLOTS; s++) {
		w->slots[s].memory = (uint64_t *)(all + s * (PAGES * PAGE + gap));
		map(&w->slots[s], PROT_READ | PROT_WRITE);
		write_pages(w, &w->slots[s]);
	}
}

static void work(struct world *w)
{
	for (unsigned n = 1; !is_restored(); n++) {
		struct slot *slot = &w->slots[draw(w, SLOTS)];

		ways[draw(w, ARRAY_SIZE(ways))](w, slot);
		if (n % 256 == 0)
			check_world(w);
		if (n % 8 == 0)
			usleep(500);
	}
	check_world(w);
}

static void *be_thread(void *arg)
{
	struct world *w = malloc(sizeof(*w));

	set_up(w, 3);
	announce_waiter();
	work(w);
	return NULL;
}

static int be_child(void *arg)
{
	struct world *w = malloc(sizeof(*w));

	set_up(w, 2);
	announce_waiter();
	work(w);
	return 7;
}

int main(void)
{
	struct world *w = malloc(sizeof(*w));
	pid_t child = start_child(be_child, NULL);
	pthread_t thread;

	set_up(w, 1);
	CHECK_EQUAL(pthread_create(&thread, NULL, be_thread, NULL), 0);
	checkpoint_with(2);
	check_world(w);
	pthread_join(thread, NULL);
	join_child(child, 7);
	return 0;
}
