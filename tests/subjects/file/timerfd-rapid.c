// SPDX-License-Identifier: GPL-2.0-only
/* Periodic timerfds go on, wherever in its short period each of them is when it is dumped. */
#include <sys/timerfd.h>

#include "subject.h"

#define TIMERS 300

SUBJECT()

int main(void)
{
	uint64_t ticks;
	int fd[TIMERS];

	for (int i = 0; i < TIMERS; i++) {
		struct itimerspec timer = { .it_value.tv_nsec = 20000 + i * 1000,
					    .it_interval.tv_nsec = 20000 + i * 1000 };

		fd[i] = must(timerfd_create(CLOCK_MONOTONIC, 0));
		must(timerfd_settime(fd[i], 0, &timer, NULL));
	}

	checkpoint();

	/* A timer that stands still is read for ever. */
	for (int i = 0; i < 2 * TIMERS; i++)
		CHECK_EQUAL(read(fd[i % TIMERS], &ticks, sizeof(ticks)), sizeof(ticks));
	return 0;
}
