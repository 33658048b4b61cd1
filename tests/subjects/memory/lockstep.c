// SPDX-License-Identifier: GPL-2.0-only
/* Processes and threads that change their memory all the time, each step bound to the one before: the memory of all of
 * them is that of one moment. Memory comes and goes meanwhile. */
#include <pthread.h>
#include <stdatomic.h>

#include "subject.h"

SUBJECT(.seconds = 60, .ways = "unharmed plain left live", .ignore = "areas preflight")

#define PAGE	  getpagesize()
#define PAGES	  8192 /* of each process: more than what is not worth being moved into huge pages */
#define WORDS	  (PAGES * 32)
#define PROCESSES 3
#define BATCH	  64 /* steps that one makes before it is another's turn */
#define ROUND	  (BATCH * PROCESSES)
#define MORE	  (100 * ROUND) /* steps after the restore */

struct shared {
	_Atomic uint64_t step;
	uint64_t copy[WORDS];
	_Atomic int stop;
};

static struct shared *shared;
static const uint64_t *file; /* the words once more, in a memfd that is only written to by pwrite(2) */
static int memfd;
static uint64_t *own[PROCESSES]; /* PAGES pages each; only one of them is used in a process */

/* The number of a step that is the process's own one of this number. */
static uint64_t step_of(unsigned me, uint64_t turn)
{
	return turn / BATCH * ROUND + me * BATCH + turn % BATCH;
}

/* How many of the steps before this one are its own. */
static uint64_t turns_before(unsigned me, uint64_t step)
{
	uint64_t rest = step % ROUND, mine = rest < me * BATCH ? 0 : rest - me * BATCH;

	return step / ROUND * BATCH + (mine < BATCH ? mine : BATCH);
}

/* The page is marked with the step, and a word of the shared memory. What was there before is known. */
static void make_step(unsigned me, uint64_t step)
{
	uint64_t turn = turns_before(me, step);
	uint64_t *page = own[me] + turn % PAGES * (PAGE / 8);
	uint64_t before = turn < PAGES ? 0 : step_of(me, turn - PAGES);
	uint64_t *word = &shared->copy[step % WORDS];

	CHECK_EQUAL(page[0], before);
	CHECK_EQUAL(page[PAGE / 8 - 1], before);
	CHECK_EQUAL(*word, step < WORDS ? 0 : step - WORDS);
	CHECK_EQUAL(file[step % WORDS], *word);
	page[0] = page[PAGE / 8 - 1] = step;
	*word = step;
	CHECK_EQUAL(pwrite(memfd, &step, 8, (off_t)(step % WORDS * 8)), 8);
}

/* All that was written in all the steps. It is this process's turn: nobody else writes. */
static void check_all(unsigned me, uint64_t step)
{
	uint64_t turns = turns_before(me, step);

	for (uint64_t i = 0; i < PAGES; i++) {
		uint64_t last = turns <= i ? 0 : (turns - 1 - i) / PAGES * PAGES + i;

		CHECK_EQUAL(own[me][i * (PAGE / 8)], turns <= i ? 0 : step_of(me, last));
	}
	for (uint64_t i = 0; i < WORDS; i++) {
		CHECK_EQUAL(shared->copy[i], step <= i ? 0 : (step - 1 - i) / WORDS * WORDS + i);
		CHECK_EQUAL(file[i], shared->copy[i]);
	}
}

static void run_steps(unsigned me)
{
	uint64_t end = 0;

	while (!shared->stop && (!end || shared->step < end)) {
		uint64_t step = shared->step;

		if (step / BATCH % PROCESSES != me) {
			usleep(20);
			continue;
		}
		if (!end && is_restored()) {
			check_all(me, step);
			end = step + MORE;
		}
		do {
			make_step(me, step);
			shared->step = ++step;
		} while (step % BATCH);
	}
	shared->stop = 1;
}

/* Maps, fills, checks, gives back and unmaps memory. */
static void *come_and_go(void *arg)
{
	while (!shared->stop) {
		uint64_t *memory =
			must(mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

		for (unsigned i = 0; i < 64; i++)
			memory[i * (PAGE / 8)] = i + 1;
		usleep(20);
		for (unsigned i = 0; i < 64; i++)
			CHECK_EQUAL(memory[i * (PAGE / 8)], i + 1);
		must(madvise(memory, 32 * PAGE, MADV_DONTNEED));
		CHECK_EQUAL(memory[0], 0);
		CHECK_EQUAL(memory[33 * (PAGE / 8)], 34);
		must(munmap(memory, 64 * PAGE));
	}
	return NULL;
}

static int be_one(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	pthread_t thread;

	announce_waiter();
	CHECK(pthread_create(&thread, NULL, come_and_go, NULL) == 0);
	run_steps(me);
	CHECK(pthread_join(thread, NULL) == 0);
	return 0;
}

int main(void)
{
	pid_t pids[PROCESSES];

	shared = must(mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	memfd = must(memfd_create("words", MFD_CLOEXEC));
	must(ftruncate(memfd, sizeof(shared->copy)));
	file = must(mmap(NULL, sizeof(shared->copy), PROT_READ, MAP_SHARED, memfd, 0));
	for (unsigned i = 0; i < PROCESSES; i++)
		own[i] = must(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	for (unsigned i = 0; i < PROCESSES; i++)
		pids[i] = start_child(be_one, (void *)(uintptr_t)i);
	checkpoint_with(PROCESSES);
	for (unsigned i = 0; i < PROCESSES; i++)
		join_child(pids[i], 0);
	return 0;
}
