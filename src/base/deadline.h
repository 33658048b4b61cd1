/* SPDX-License-Identifier: LGPL-2.1-only */
/* One time limit for a whole operation; every wait asks it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct deadline {
	uint64_t at; /* CLOCK_MONOTONIC in ns, 0 = never */
};

static inline uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Since the kernel started, sleep included: comparable with the start times of processes. */
static inline uint64_t clock_boot_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static inline struct deadline deadline_in_seconds(unsigned seconds)
{
	return (struct deadline){ seconds ? clock_now_ns() + seconds * 1000000000ull : 0 };
}

static inline bool deadline_passed(const struct deadline *deadline)
{
	return deadline->at && clock_now_ns() >= deadline->at;
}

/* What is left in ms for poll(2): -1 = no limit, 0 = passed. */
static inline int deadline_left_ms(const struct deadline *deadline)
{
	uint64_t now = clock_now_ns();

	if (!deadline->at)
		return -1;
	return deadline->at <= now ? 0 : (int)((deadline->at - now) / 1000000 + 1);
}
