// SPDX-License-Identifier: GPL-2.0-only
/* Calls with a time limit relative to their beginning wait for what was left of it. */
#include "calls.h"
#include "subject.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/time.h>
#include <time.h>

SUBJECT(.ways = "untouched unharmed plain left", .seconds = 20)

#ifdef SYS__newselect /* in 32-bit programs */
#undef SYS_select
#define SYS_select SYS__newselect
#endif

#define LIMIT_MS  4000
#define BEFORE_MS 2500 /* so long the waits last when the dump comes */
#define GAP_MS	  200  /* longer than that nobody is kept from a CPU, or counts as living */

#define N 6

#ifndef IDLE
#define IDLE 0 /* so many threads more */
#endif

static volatile long lived_ms; /* without the time of the checkpoint */
static volatile pid_t tids[N];
static long took_ms[N];
static uint32_t word;

static long now_ms(void)
{
	struct timespec now;

	must(clock_gettime(CLOCK_MONOTONIC, &now));
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *count(void *arg)
{
	for (long last = now_ms();;) {
		long now;

		sleep_ms(2);
		now = now_ms();
		lived_ms += now - last < GAP_MS ? now - last : GAP_MS;
		last = now;
	}
	return NULL;
}

static void in_poll(void)
{
	CHECK_EQUAL(poll(NULL, 0, LIMIT_MS), 0);
}

static void in_nanosleep(void)
{
	CHECK_EQUAL(syscall(SYS_nanosleep, &(struct timespec){ LIMIT_MS / 1000, 0 }, NULL), 0);
}

static void in_nanosleep_with_rest(void)
{
	struct timespec rest;

	CHECK_EQUAL(syscall(SYS_nanosleep, &(struct timespec){ LIMIT_MS / 1000, 0 }, &rest), 0);
}

static void in_clock_nanosleep(void)
{
	CHECK_EQUAL(clock_nanosleep(CLOCK_REALTIME, 0, &(struct timespec){ LIMIT_MS / 1000, 0 }, NULL), 0);
}

static void in_futex(void)
{
	CHECK(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &(struct timespec){ LIMIT_MS / 1000, 0 }) == -1 &&
	      errno == ETIMEDOUT);
}

static void in_select(void)
{
#ifdef SYS_select
	CHECK_EQUAL(syscall(SYS_select, 0, NULL, NULL, NULL, &(struct timeval){ LIMIT_MS / 1000, 0 }), 0);
#else
	CHECK_EQUAL(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &(struct timespec){ LIMIT_MS / 1000, 0 }, NULL), 0);
#endif
}

static const struct {
	void (*wait)(void);
	long number;
} waits[N] = {
	{ in_poll, CALL_POLL },
	{ in_nanosleep, SYS_nanosleep },
	{ in_nanosleep_with_rest, SYS_nanosleep },
	{ in_clock_nanosleep, SYS_clock_nanosleep },
	{ in_futex, SYS_futex },
#ifdef SYS_select
	{ in_select, SYS_select },
#else
	{ in_select, SYS_pselect6 },
#endif
};

static void *wait_limited(void *arg)
{
	long i = (long)arg, start;

	announce_waiter();
	tids[i] = (pid_t)syscall(SYS_gettid);
	start = lived_ms;
	waits[i].wait();
	took_ms[i] = lived_ms - start;
	return NULL;
}

static void *idle(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

int main(void)
{
	pthread_t counter, threads[N], other;

	for (int i = 0; i < IDLE; i++)
		CHECK_EQUAL(pthread_create(&other, NULL, idle, NULL), 0);
	CHECK_EQUAL(pthread_create(&counter, NULL, count, NULL), 0);
	for (long i = 0; i < N; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, wait_limited, (void *)i), 0);
	for (int i = 0; i < N; i++) {
		while (!tids[i])
			sleep_ms(1);
		await_call(tids[i], waits[i].number);
	}
	while (lived_ms < BEFORE_MS)
		sleep_ms(5);

	checkpoint_with(N);

	for (int i = 0; i < N; i++) {
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
		CHECK_EQUAL(took_ms[i] < LIMIT_MS - 700 ? took_ms[i] : LIMIT_MS, LIMIT_MS);
		CHECK_EQUAL(took_ms[i] > LIMIT_MS + BEFORE_MS - 1000 ? took_ms[i] : LIMIT_MS, LIMIT_MS);
	}
	return 0;
}
