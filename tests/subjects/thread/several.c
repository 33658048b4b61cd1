// SPDX-License-Identifier: GPL-2.0-only
/* Threads keep their tids, their stacks, their thread-local variables and their registers; joining them works. */
#include "subject.h"

#include <pthread.h>

SUBJECT()

#define N 8

static __thread long mine;
static pthread_barrier_t barrier;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int counted;

static void *work(void *arg)
{
	long number = (long)arg;
	long tid = syscall(SYS_gettid);
	uint8_t local[5000];

	mine = number * 1000;
	fill(local, sizeof(local), (unsigned)number);
	wait_for_restore();
	CHECK_EQUAL(syscall(SYS_gettid), tid);
	CHECK_EQUAL(mine, number * 1000);
	check_filled(local, sizeof(local), (unsigned)number);
	pthread_barrier_wait(&barrier);
	pthread_mutex_lock(&mutex);
	counted++;
	pthread_mutex_unlock(&mutex);
	return (void *)(number + 100);
}

int main(void)
{
	pthread_t threads[N];

	mine = 42;
	pthread_barrier_init(&barrier, NULL, N);
	for (long i = 0; i < N; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, work, (void *)i), 0);

	checkpoint_with(N);

	CHECK_EQUAL(mine, 42);
	for (long i = 0; i < N; i++) {
		void *result;

		CHECK_EQUAL(pthread_join(threads[i], &result), 0);
		CHECK_EQUAL((long)result, i + 100);
	}
	CHECK_EQUAL(counted, N);

	/* New threads can be made. */
	pthread_barrier_init(&barrier, NULL, 1);
	CHECK_EQUAL(pthread_create(&threads[0], NULL, work, (void *)7L), 0);
	CHECK_EQUAL(pthread_join(threads[0], NULL), 0);
	return 0;
}
