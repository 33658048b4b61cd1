/* SPDX-License-Identifier: LGPL-2.1-only */
/* A pool of threads that share out the items of a job. */
#include "base/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/urgent.h"

struct job {
	int (*run)(void *arg, size_t item, unsigned worker);
	void *arg;
	size_t n_items;
	struct log_scope *scope;
	atomic_size_t next;
	atomic_int failure;
};

struct worker {
	struct workers *workers;
	unsigned number;
	pthread_t thread;
};

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t start, done;
	struct job *job;
	unsigned long jobs_started; /* tells a thread that there is a job it has not worked for */
	unsigned busy;
	bool ending;
	unsigned n;		/* the calling thread included */
	struct worker *threads; /* n - 1 */
};

static void work_on_job(struct job *job, unsigned worker)
{
	size_t item;

	while (!atomic_load(&job->failure) && (item = atomic_fetch_add(&job->next, 1)) < job->n_items) {
		int none = 0, result = job->run(job->arg, item, worker);

		if (result < 0)
			atomic_compare_exchange_strong(&job->failure, &none, result);
	}
}

static void *run_thread(void *arg)
{
	struct worker *self = arg;
	struct workers *workers = self->workers;
	unsigned long seen = 0;

	urgent_help();
	pthread_mutex_lock(&workers->lock);
	for (;;) {
		struct job *job;

		while (!workers->ending && workers->jobs_started == seen)
			pthread_cond_wait(&workers->start, &workers->lock);
		if (workers->ending)
			break;
		seen = workers->jobs_started;
		job = workers->job;
		pthread_mutex_unlock(&workers->lock);

		log_scope_adopt(job->scope);
		work_on_job(job, self->number);
		log_scope_adopt(NULL);

		pthread_mutex_lock(&workers->lock);
		if (--workers->busy == 0)
			pthread_cond_signal(&workers->done);
	}
	pthread_mutex_unlock(&workers->lock);
	urgent_leave();
	return NULL;
}

static unsigned count_cpus(void)
{
	cpu_set_t set[8]; /* 8192 CPUs, more than any kernel is built for */

	if (sched_getaffinity(0, sizeof(set), set) < 0)
		return 1;
	return (unsigned)CPU_COUNT_S(sizeof(set), set);
}

struct workers *workers_create(unsigned n)
{
	struct workers *workers = xzalloc(sizeof(*workers));
	sigset_t all, old;

	if (n == 0)
		n = count_cpus();
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->start, NULL);
	pthread_cond_init(&workers->done, NULL);
	workers->threads = xzalloc((n - 1) * sizeof(struct worker));

	/* Signals are for the thread that runs the program. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (workers->n = 1; workers->n < n; workers->n++) {
		struct worker *worker = &workers->threads[workers->n - 1];

		*worker = (struct worker){ .workers = workers, .number = workers->n };
		if (pthread_create(&worker->thread, NULL, run_thread, worker) != 0) {
			log_warn("only %u of %u worker threads could be started", workers->n - 1, n - 1);
			break;
		}
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return workers;
}

void workers_destroy(struct workers **ref)
{
	struct workers *workers = *ref;

	if (!workers)
		return;
	pthread_mutex_lock(&workers->lock);
	workers->ending = true;
	pthread_cond_broadcast(&workers->start);
	pthread_mutex_unlock(&workers->lock);
	for (unsigned i = 0; i + 1 < workers->n; i++)
		pthread_join(workers->threads[i].thread, NULL);
	pthread_cond_destroy(&workers->start);
	pthread_cond_destroy(&workers->done);
	pthread_mutex_destroy(&workers->lock);
	free(workers->threads);
	free(workers);
	*ref = NULL;
}

unsigned workers_count(const struct workers *workers)
{
	return workers->n;
}

int workers_run(struct workers *workers, size_t n_items, int (*run)(void *arg, size_t item, unsigned worker), void *arg)
{
	struct job job = { .run = run, .arg = arg, .n_items = n_items, .scope = log_scope_current() };
	bool shared = workers->n > 1 && n_items > 1;

	if (shared) {
		pthread_mutex_lock(&workers->lock);
		workers->job = &job;
		workers->busy = workers->n - 1;
		workers->jobs_started++;
		pthread_cond_broadcast(&workers->start);
		pthread_mutex_unlock(&workers->lock);
	}
	work_on_job(&job, 0);
	if (shared) {
		pthread_mutex_lock(&workers->lock);
		while (workers->busy)
			pthread_cond_wait(&workers->done, &workers->lock);
		pthread_mutex_unlock(&workers->lock);
	}
	return job.failure;
}
