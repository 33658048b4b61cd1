/* SPDX-License-Identifier: GPL-2.0-only */
/* A thread that reaps traced threads. */
#include "flow/freeze/reaper.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"
#include "base/pool.h"
#include "base/vector.h"

#define PERIOD_NS 5000000 /* rarely is there anything to reap */

struct reaper {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t end;
	bool ending, tried, running;
	unsigned progress; /* of the main thread */
	VECTOR(pid_t) tids;
};

/* Of traced threads every wait takes stops as well (ptrace(2)), and those are for somebody else: so it is only looked
 * at, until it is an end. */
static bool is_gone(pid_t tid)
{
	const int look = WEXITED | WNOHANG | __WALL;
	siginfo_t info = { .si_pid = 0 };

	if (waitid(P_PID, (id_t)tid, &info, look | WNOWAIT) < 0)
		return errno == ECHILD;
	if (info.si_pid != tid ||
	    (info.si_code != CLD_EXITED && info.si_code != CLD_KILLED && info.si_code != CLD_DUMPED))
		return false;
	return waitid(P_PID, (id_t)tid, &info, look) == 0 || errno == ECHILD;
}

static void reap_child(struct reaper *reaper)
{
	for (size_t i = 0; i < reaper->tids.n;) {
		if (is_gone(reaper->tids.items[i]))
			reaper->tids.items[i] = reaper->tids.items[--reaper->tids.n];
		else
			i++;
	}
}

static void *reaper_run(void *arg)
{
	struct reaper *reaper = arg;
	unsigned seen = 0, now;

	pthread_mutex_lock(&reaper->lock);
	while (!reaper->ending) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += PERIOD_NS;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		(void)pthread_cond_timedwait(&reaper->end, &reaper->lock, &until);
		now = __atomic_load_n(&reaper->progress, __ATOMIC_RELAXED);
		if (now == seen) /* the main thread is stuck, or has nothing to wait for */
			reap_child(reaper);
		seen = now;
	}
	pthread_mutex_unlock(&reaper->lock);
	return NULL;
}

struct reaper *reaper_create(void)
{
	struct reaper *reaper = xzalloc(sizeof(*reaper));

	pthread_mutex_init(&reaper->lock, NULL);
	pthread_cond_init(&reaper->end, NULL);
	return reaper;
}

static void start_thread(struct reaper *reaper)
{
	sigset_t all, old;

	reaper->tried = true;
	/* Signals are for the thread that runs the program. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	reaper->running = pthread_create(&reaper->thread, NULL, reaper_run, reaper) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!reaper->running)
		log_warn("no thread can be made that reaps threads of the tree");
}

void reaper_watch(struct reaper *reaper, pid_t tid)
{
	if (!reaper)
		return;
	pthread_mutex_lock(&reaper->lock);
	*vector_push(&reaper->tids) = tid;
	pthread_mutex_unlock(&reaper->lock);
	if (!reaper->tried)
		start_thread(reaper);
}

void reaper_note_progress(struct reaper *reaper)
{
	if (reaper)
		__atomic_fetch_add(&reaper->progress, 1, __ATOMIC_RELAXED);
}

void reaper_destroy(struct reaper **ref)
{
	struct reaper *reaper = *ref;

	if (!reaper)
		return;
	*ref = NULL;
	pthread_mutex_lock(&reaper->lock);
	reaper->ending = true;
	pthread_cond_signal(&reaper->end);
	pthread_mutex_unlock(&reaper->lock);
	if (reaper->running)
		pthread_join(reaper->thread, NULL);
	pthread_cond_destroy(&reaper->end);
	pthread_mutex_destroy(&reaper->lock);
	vector_done(&reaper->tids);
	free(reaper);
}
