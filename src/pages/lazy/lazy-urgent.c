/* SPDX-License-Identifier: GPL-2.0-only */
/* A thread that others wait for. */
#include "pages/lazy/lazy-urgent.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/log.h"

void urgent_begin(void)
{
	const struct sched_param lowest = { .sched_priority = 1 };

	/* A control group of the old kind may have no time for such threads to give. */
	if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &lowest) < 0)
		log_debug("Faults are served at ordinary priority: %s", strerror(errno));
}

void urgent_lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
}
