// SPDX-License-Identifier: GPL-2.0-only
/* The functions of the vdso are called at the addresses that the program has learnt at its start. */
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "subject.h"

SUBJECT()

static int64_t ns(struct timespec time)
{
	return time.tv_sec * 1000000000ll + time.tv_nsec;
}

/* What the vdso says lies between what the kernel says before and after. */
static void check_clock(clockid_t clock)
{
	struct timespec before, between, after;

	must(syscall(SYS_clock_gettime, clock, &before));
	must(clock_gettime(clock, &between));
	must(syscall(SYS_clock_gettime, clock, &after));
	CHECK(ns(before) <= ns(between));
	CHECK(ns(between) <= ns(after));
}

int main(void)
{
	struct timeval now;

	check_clock(CLOCK_MONOTONIC);
	checkpoint();
	for (int i = 0; i < 1000; i++) {
		check_clock(CLOCK_MONOTONIC);
		check_clock(CLOCK_REALTIME);
		check_clock(CLOCK_BOOTTIME);
	}
	must(gettimeofday(&now, NULL));
	CHECK(now.tv_sec - time(NULL) <= 1);
	return 0;
}
