/* SPDX-License-Identifier: LGPL-2.1-only */
/* Threads that others wait for. */
#include "base/urgent.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/array.h"
#include "base/log.h"

#define HELPERS_MAX 64 /* more do not make it faster */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that follows */
static enum { UNKNOWN, YES, NO } allowed;
static bool is_urgent;
static pid_t helpers[HELPERS_MAX];

static int set_policy(pid_t tid, bool urgent)
{
	const struct sched_param param = { .sched_priority = urgent };

	return sched_setscheduler(tid, urgent ? SCHED_RR | SCHED_RESET_ON_FORK : SCHED_OTHER, &param);
}

/* With the lock. */
static void set_all(bool urgent)
{
	if (urgent == is_urgent)
		return;
	if (set_policy(0, urgent) < 0) {
		/* A cgroup of version 1 may have no time of that sort to give. */
		log_debug("Threads that are waited for run as ordinary ones: %s", strerror(errno));
		allowed = NO;
		return;
	}
	is_urgent = urgent;
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++)
		if (helpers[i])
			(void)set_policy(helpers[i], urgent);
}

/* Whoever has set a priority has meant it. */
static bool is_ordinary(void)
{
	return sched_getscheduler(0) == SCHED_OTHER && getpriority(PRIO_PROCESS, 0) <= 0;
}

void urgent_begin(void)
{
	pthread_mutex_lock(&lock);
	if (allowed == UNKNOWN)
		allowed = is_ordinary() ? YES : NO;
	if (allowed == YES)
		set_all(true);
	pthread_mutex_unlock(&lock);
}

void urgent_end(void)
{
	pthread_mutex_lock(&lock);
	set_all(false);
	pthread_mutex_unlock(&lock);
}

bool urgent_pause(void)
{
	const bool paused = is_urgent; /* only this thread changes it */

	if (paused)
		urgent_end();
	return paused;
}

void urgent_resume(bool paused)
{
	if (paused)
		urgent_begin();
}

void urgent_forbid(void)
{
	allowed = NO;
}

static void replace_helper(pid_t old, pid_t new)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(helpers) && helpers[i] != old)
		i++;
	if (i < ARRAY_SIZE(helpers))
		helpers[i] = new;
}

void urgent_help(void)
{
	pthread_mutex_lock(&lock);
	replace_helper(0, gettid());
	if (is_urgent)
		(void)set_policy(0, true);
	pthread_mutex_unlock(&lock);
}

void urgent_leave(void)
{
	pthread_mutex_lock(&lock);
	replace_helper(gettid(), 0);
	pthread_mutex_unlock(&lock);
}

void urgent_lock_init(pthread_mutex_t *urgent)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(urgent, &attributes);
	pthread_mutexattr_destroy(&attributes);
}
