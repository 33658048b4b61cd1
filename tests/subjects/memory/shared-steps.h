/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes that change shared memory in turns, in the ways that the includer lists: what it holds is always that of
 * one moment, and none is harmed. */
#pragma once

#include <stdatomic.h>
#include <sys/wait.h>

#include "subject.h"

#define PAGE	  (unsigned)getpagesize()
#define WORDS	  (PAGE / sizeof(uint64_t))
#define PAGES	  4096u /* 16 MiB */
#define PROCESSES 3u
#define MORE	  3000u /* steps after the restore */

/* Too little to be watched. */
struct turns {
	_Atomic uint64_t step; /* whose turn it is */
	_Atomic int stop;
	uint64_t random;
	uint64_t wrote[PAGES]; /* the step that wrote the page; 0: it is zero */
};

struct world {
	unsigned me;
	uint64_t *memory; /* where it is mapped here */
};

typedef void way(struct world *w, uint64_t step);

static struct turns *turns;

static inline unsigned draw(unsigned below)
{
	turns->random ^= turns->random << 13;
	turns->random ^= turns->random >> 7;
	turns->random ^= turns->random << 17;
	return (unsigned)(turns->random % below);
}

static inline void write_page(uint64_t *memory, unsigned page, uint64_t step)
{
	memory[page * WORDS] = turns->wrote[page] = step;
	memory[page * WORDS + WORDS - 1] = step * 3;
}

static inline void write_some(struct world *w, uint64_t step)
{
	for (unsigned n = draw(8) + 1; n; n--)
		write_page(w->memory, draw(PAGES), step);
}

static inline void write_many(struct world *w, uint64_t step)
{
	for (unsigned first = draw(PAGES - 64), i = 0; i < 64; i++)
		write_page(w->memory, first + i, step);
}

/* The kernel writes to the page. */
static inline void read_in(struct world *w, uint64_t step)
{
	unsigned page = draw(PAGES);
	uint64_t *text = must(calloc(1, PAGE));
	int ends[2];

	CHECK_EQUAL(pipe(ends), 0);
	text[0] = step;
	text[WORDS - 1] = step * 3;
	CHECK_EQUAL(write(ends[1], text, PAGE), PAGE);
	CHECK_EQUAL(read(ends[0], w->memory + page * WORDS, PAGE), PAGE);
	free(text);
	turns->wrote[page] = step;
	close(ends[0]);
	close(ends[1]);
}

static inline void check_world(const struct world *w)
{
	for (unsigned page = 0; page < PAGES; page++) {
		CHECK_EQUAL(w->memory[page * WORDS], turns->wrote[page]);
		CHECK_EQUAL(w->memory[page * WORDS + WORDS - 1], turns->wrote[page] * 3);
	}
}

/* Each in its turn; one step of so many is a rare one. */
static inline void run_steps(struct world *w, way *const *ways, unsigned n, way *const *rare, unsigned n_rare)
{
	uint64_t end = 0;

	while (!turns->stop && (!end || turns->step < end)) {
		uint64_t step = turns->step;

		if (step % PROCESSES != w->me) {
			usleep(50);
			continue;
		}
		if (!end && is_restored()) {
			check_world(w);
			end = step + MORE;
		}
		if (n_rare && draw(20) == 0)
			rare[draw(n_rare)](w, step);
		else
			ways[draw(n)](w, step);
		turns->step = step + 1;
	}
	turns->stop = 1;
	check_world(w);
}

static inline void make_world(struct world *w)
{
	turns = must(mmap(NULL, sizeof(*turns), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	turns->random = 1;
	turns->step = 1;
	w->memory = must(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	for (unsigned page = 0; page < PAGES / 2; page++) /* the rest is not there yet */
		write_page(w->memory, page, 1);
}

static inline void run_processes(int (*be_one)(void *arg))
{
	pid_t pids[PROCESSES];

	for (unsigned i = 0; i < PROCESSES; i++)
		pids[i] = start_child(be_one, (void *)(uintptr_t)i);
	checkpoint_with(PROCESSES);
	for (unsigned i = 0; i < PROCESSES; i++)
		join_child(pids[i], 0);
}
