// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that never stop computing: integers, floating point, vectors and memory, interrupted by a timer all the time.
 * Every round goes some way and all the way back, so the smallest change of a register or a byte shows at once, however
 * long it runs.
 */
#include "subject.h"

#include <pthread.h>
#include <sys/time.h>

SUBJECT(.ignore = "SigPnd ShdPnd SigBlk")

#define THREADS 4
#define STEPS	2000
#define FACTOR	6364136223846793005ULL
#define INVERSE 13877824140714322085ULL /* FACTOR * INVERSE == 1 modulo 2^64 */

typedef double vector __attribute__((vector_size(32)));

static volatile bool stop;
static volatile unsigned long alarms;

static void on_alarm(int signal)
{
	alarms++;
}

static void there_and_back(uint64_t seed)
{
	uint64_t number = seed;
	double real = (double)(seed & 0xffff);
	vector v = { real, real + 1, real + 2, real + 3 };

	for (uint64_t i = 0; i < STEPS; i++) {
		number = number * FACTOR + i;
		real += (double)i;
		v += (vector){ 1, 2, 3, (double)i };
	}
	for (uint64_t i = STEPS; i-- > 0;) {
		number = (number - i) * INVERSE;
		real -= (double)i;
		v -= (vector){ 1, 2, 3, (double)i };
	}
	CHECK_EQUAL(number, seed);
	CHECK(real == (double)(seed & 0xffff));
	for (int i = 0; i < 4; i++)
		CHECK(v[i] == real + i);
}

static void *compute(void *arg)
{
	uint8_t *memory = malloc(16384);
	uint64_t seed = (uint64_t)(uintptr_t)arg;

	announce_waiter();
	for (unsigned round = 0; !stop; round++) {
		fill(memory, 16384, round);
		for (int i = 0; i < 20; i++)
			there_and_back(seed + round);
		check_filled(memory, 16384, round);
	}
	free(memory);
	return NULL;
}

/* System calls as well, all the time: what is written into the pipe comes out again. */
static void *call(void *arg)
{
	int ends[2];
	unsigned got;

	must(pipe(ends));
	announce_waiter();
	for (unsigned round = 0; !stop; round++) {
		CHECK_EQUAL(write(ends[1], &round, sizeof(round)), sizeof(round));
		CHECK_EQUAL(read(ends[0], &got, sizeof(got)), sizeof(got));
		CHECK_EQUAL(got, round);
	}
	return NULL;
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval every = { { 0, 2000 }, { 0, 2000 } };
	pthread_t threads[THREADS + 1];
	unsigned long before;

	must(sigaction(SIGALRM, &action, NULL));
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, compute, (void *)(i + 1)), 0);
	CHECK_EQUAL(pthread_create(&threads[THREADS], NULL, call, NULL), 0);
	must(setitimer(ITIMER_REAL, &every, NULL));

	checkpoint_with(THREADS + 1);

	before = alarms;
	for (int i = 0; i < 12000 && alarms < before + 3; i++)
		sleep_ms(5);
	CHECK(alarms >= before + 3);
	stop = true;
	for (int i = 0; i <= THREADS; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	return 0;
}
