// SPDX-License-Identifier: GPL-2.0-only
/* Processes that change shared memory in ways that dump --live cannot watch, now and then: through mappings that come
 * and go, in children that do, and without writing to it. */
#include <fcntl.h>

#include "shared-steps.h"

SUBJECT(.seconds = 60, .ways = "unharmed left live", .ignore = "areas children preflight")

static struct world world;

static way *const ways[] = { write_some, write_some, write_many, read_in };

static void in_child(struct world *w, uint64_t step)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		write_many(w, step);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_EQUAL(status, 0);
}

/* The same pages once more. */
static void in_double(struct world *w, uint64_t step)
{
	uint64_t *other = must(mremap(w->memory, 0, PAGES * PAGE, MREMAP_MAYMOVE));

	for (unsigned i = 0; i < 64; i++)
		write_page(other, draw(PAGES), step);
	CHECK_EQUAL(munmap(other, PAGES * PAGE), 0);
}

static void move(struct world *w, uint64_t step)
{
	void *place = must(mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	w->memory = must(mremap(w->memory, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place));
	write_some(w, step);
}

/* Away with the pages themselves. */
static void punch(struct world *w, uint64_t step)
{
	unsigned first = draw(PAGES - 16);

	CHECK_EQUAL(madvise(w->memory + first * WORDS, 16 * PAGE, MADV_REMOVE), 0);
	memset(turns->wrote + first, 0, 16 * sizeof(*turns->wrote));
	CHECK_EQUAL(w->memory[first * WORDS], 0);
	if (draw(2))
		write_page(w->memory, first + 1, step);
}

/* Away with what is mapped only. */
static void drop(struct world *w, uint64_t step)
{
	unsigned first = draw(PAGES - 16);

	for (unsigned i = 0; i < 16; i++)
		write_page(w->memory, first + i, step);
	CHECK_EQUAL(madvise(w->memory + first * WORDS, 16 * PAGE, MADV_DONTNEED), 0);
}

static void protect(struct world *w, uint64_t step)
{
	unsigned first = draw(PAGES - 16);

	CHECK_EQUAL(mprotect(w->memory + first * WORDS, 16 * PAGE, draw(2) ? PROT_READ : PROT_NONE), 0);
	write_page(w->memory, first ? first - 1 : PAGES - 1, step);
	CHECK_EQUAL(mprotect(w->memory + first * WORDS, 16 * PAGE, PROT_READ | PROT_WRITE), 0);
	write_page(w->memory, first, step);
}

/* Only who may everything can. */
static void map_anew(struct world *w, uint64_t step)
{
	const uintptr_t at = (uintptr_t)w->memory;
	char path[64];
	uint64_t *other;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/map_files/%zx-%zx", at, at + PAGES * PAGE);
	fd = open(path, O_RDWR);
	if (fd < 0) {
		write_some(w, step);
		return;
	}
	other = must(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	close(fd);
	for (unsigned i = 0; i < 64; i++)
		write_page(other, draw(PAGES), step);
	CHECK_EQUAL(munmap(other, PAGES * PAGE), 0);
}

static way *const strange[] = { in_child, in_double, move, punch, drop, protect, map_anew };

static int be_one(void *arg)
{
	world.me = (unsigned)(uintptr_t)arg;
	announce_waiter();
	run_steps(&world, ways, ARRAY_SIZE(ways), strange, ARRAY_SIZE(strange));
	return 0;
}

int main(void)
{
	make_world(&world);
	run_processes(be_one);
	return 0;
}
