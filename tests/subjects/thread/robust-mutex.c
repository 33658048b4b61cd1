// SPDX-License-Identifier: GPL-2.0-only
/* A robust mutex held by a thread or by another process: whoever waits gets it when the holder dies. */
#include "subject.h"

#include <pthread.h>

SUBJECT()

struct shared {
	pthread_mutex_t of_thread, of_child;
};

static struct shared *shared;

static void init(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	CHECK_EQUAL(pthread_mutex_init(mutex, &attr), 0);
}

static void *holds(void *arg)
{
	CHECK_EQUAL(pthread_mutex_lock(&shared->of_thread), 0);
	wait_for_restore();
	sleep_ms(100);
	return NULL; /* without unlocking */
}

static int child(void *arg)
{
	CHECK_EQUAL(pthread_mutex_lock(&shared->of_child), 0);
	wait_for_restore();
	sleep_ms(100);
	raise(SIGKILL);
	return 0;
}

int main(void)
{
	pthread_t thread;
	pid_t pid;
	int status;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	init(&shared->of_thread);
	init(&shared->of_child);
	CHECK_EQUAL(pthread_create(&thread, NULL, holds, NULL), 0);
	pid = start_child(child, NULL);

	checkpoint_with(2);

	CHECK_EQUAL(pthread_mutex_lock(&shared->of_thread), EOWNERDEAD);
	CHECK_EQUAL(pthread_mutex_lock(&shared->of_child), EOWNERDEAD);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	must(waitpid(pid, &status, 0));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return 0;
}
