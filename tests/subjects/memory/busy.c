// SPDX-License-Identifier: GPL-2.0-only
/* Memory stays right while threads read it, children inherit it, system calls fill it, and it is moved, given back and
 * mapped anew. */
#include <pthread.h>
#include <sys/uio.h>

#include "subject.h"

SUBJECT(.seconds = 60)

#define PAGE	getpagesize()
#define PAGES	512 /* of each piece */
#define PIECE	(PAGES * PAGE)
#define READERS 3

enum {
	READ,
	READ2,
	READ3,
	MOVED,
	SHRUNK,
	GIVEN_BACK,
	REPLACED,
	FORKED,
	PROTECTED,
	CALLED,
	SENT,
	WIPED,
	STRIPED,
	PIECES
};

static uint8_t *pieces[PIECES];

static unsigned seed_of(unsigned piece, unsigned page)
{
	return piece * 1000 + page;
}

static void check_page(const uint8_t *at, unsigned piece, unsigned page)
{
	check_filled(at + (size_t)page * PAGE, PAGE, seed_of(piece, page));
}

static void check_pages(const uint8_t *at, unsigned piece, unsigned first, unsigned n)
{
	for (unsigned page = first; page < first + n; page++)
		check_page(at, piece, page);
}

/* Each has its piece, and its own order. */
static void *run_reader(void *arg)
{
	unsigned piece = (unsigned)(uintptr_t)arg;

	wait_for_restore();
	for (unsigned i = 0; i < PAGES; i++)
		check_page(pieces[piece], piece, (i * 171 + piece * 31) % PAGES);
	return NULL;
}

static int check_in_child(void *arg)
{
	check_pages(pieces[FORKED], FORKED, PAGES / 2, PAGES / 2);
	check_pages(pieces[MOVED], MOVED, PAGES - 8, 8);
	memset(pieces[FORKED], 1, PIECE);
	return 17;
}

static int grandparent(void *arg)
{
	pid_t child = start_child(check_in_child, NULL);

	check_pages(pieces[FORKED], FORKED, 0, PAGES / 2);
	join_child(child, 17);
	check_pages(pieces[FORKED], FORKED, 0, PAGES);
	return 18;
}

static void move(void)
{
	uint8_t *place = must(mmap(NULL, PIECE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint8_t *old = pieces[MOVED];

	check_page(pieces[MOVED], MOVED, 3);
	pieces[MOVED] = must(mremap(old, PIECE, PIECE, MREMAP_MAYMOVE | MREMAP_FIXED, place));
	/* The place it has left is used for something else. */
	must(mmap(old, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	check_zero(old, PIECE);
	check_pages(pieces[MOVED], MOVED, 0, PAGES / 2);
	/* And half of it moves on. */
	place = must(mmap(NULL, PIECE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	must(mremap(pieces[MOVED] + PIECE / 2, PIECE / 2, PIECE / 2, MREMAP_MAYMOVE | MREMAP_FIXED, place + PIECE / 2));
	must(mremap(pieces[MOVED], PIECE / 2, PIECE / 2, MREMAP_MAYMOVE | MREMAP_FIXED, place));
	pieces[MOVED] = place;
	check_pages(pieces[MOVED], MOVED, PAGES / 4, PAGES / 2);
}

static void shrink(void)
{
	must(munmap(pieces[SHRUNK] + PIECE / 4, PIECE / 2));
	check_pages(pieces[SHRUNK], SHRUNK, 0, PAGES / 4);
	check_pages(pieces[SHRUNK], SHRUNK, PAGES * 3 / 4, PAGES / 4);
	must(mmap(pieces[SHRUNK] + PIECE / 4, PIECE / 2, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		  -1, 0));
	check_zero(pieces[SHRUNK] + PIECE / 4, PIECE / 2);
}

static void give_back(void)
{
	must(madvise(pieces[GIVEN_BACK], PIECE / 2, MADV_DONTNEED));
	check_zero(pieces[GIVEN_BACK], PIECE / 2);
	check_pages(pieces[GIVEN_BACK], GIVEN_BACK, PAGES / 2, PAGES / 2);
	must(mmap(pieces[REPLACED], PIECE / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	check_zero(pieces[REPLACED], PIECE / 2);
	check_pages(pieces[REPLACED], REPLACED, PAGES / 2, PAGES / 2);
}

/* System calls find pages missing as well. */
static void call(void)
{
	int pipe_ends[2];
	struct iovec part = { pieces[SENT] + 100, PAGE }, to = { pieces[CALLED] + 5 * PAGE + 100, PAGE };
	uint8_t *copy = must(malloc(PAGE));

	must(pipe(pipe_ends));
	must(mprotect(pieces[PROTECTED], PIECE, PROT_READ));
	CHECK_EQUAL(write(pipe_ends[1], pieces[PROTECTED] + 7 * PAGE, PAGE), PAGE);
	CHECK_EQUAL(read(pipe_ends[0], pieces[CALLED] + 9 * PAGE, PAGE), PAGE);
	check_filled(pieces[CALLED] + 9 * PAGE, PAGE, seed_of(PROTECTED, 7));
	CHECK_EQUAL(writev(pipe_ends[1], &part, 1), PAGE);
	CHECK_EQUAL(readv(pipe_ends[0], &to, 1), PAGE);
	memcpy(copy, pieces[SENT] + 100, PAGE);
	CHECK(memcmp(copy, pieces[CALLED] + 5 * PAGE + 100, PAGE) == 0);
	free(copy);
	/* What was read into is new, all around it is old. */
	check_pages(pieces[CALLED], CALLED, 0, 5);
	check_pages(pieces[CALLED], CALLED, 7, 2);
	check_pages(pieces[CALLED], CALLED, 10, PAGES - 10);
	check_pages(pieces[PROTECTED], PROTECTED, 0, PAGES);
	check_pages(pieces[SENT], SENT, 0, PAGES);
}

static void check_stripes(void)
{
	for (unsigned page = 0; page < PAGES; page++) {
		if (page % 3)
			check_zero(pieces[STRIPED] + (size_t)page * PAGE, PAGE);
		else
			check_page(pieces[STRIPED], STRIPED, page);
	}
}

static int check_wiped(void *arg)
{
	check_zero(pieces[WIPED], PIECE);
	return 19;
}

int main(void)
{
	pthread_t readers[READERS];
	pid_t child, children[4];

	for (unsigned i = 0; i < PIECES; i++) {
		pieces[i] = must(mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		for (unsigned page = 0; page < PAGES; page++)
			if (i != STRIPED || page % 3 == 0)
				fill(pieces[i] + (size_t)page * PAGE, PAGE, seed_of(i, page));
	}
	must(madvise(pieces[WIPED], PIECE, MADV_WIPEONFORK));
	for (unsigned i = 0; i < READERS; i++)
		CHECK(pthread_create(&readers[i], NULL, run_reader, (void *)(uintptr_t)i) == 0);

	checkpoint_with(READERS);

	child = start_child(grandparent, NULL);
	for (unsigned i = 0; i < 4; i++)
		children[i] = start_child(check_wiped, NULL);
	move();
	shrink();
	give_back();
	call();
	check_stripes();
	check_pages(pieces[WIPED], WIPED, 0, PAGES);
	check_pages(pieces[FORKED], FORKED, 0, PAGES);
	for (unsigned i = 0; i < READERS; i++)
		CHECK(pthread_join(readers[i], NULL) == 0);
	join_child(child, 18);
	for (unsigned i = 0; i < 4; i++)
		join_child(children[i], 19);
	return 0;
}
