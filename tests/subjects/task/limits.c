// SPDX-License-Identifier: GPL-2.0-only
/* Resource limits, soft and hard, also ones that a restore would run into; a child has others. */
#include "subject.h"

#include <sys/resource.h>

SUBJECT()

static struct {
	int which;
	rlim_t soft, hard;
} lowered[] = {
	{ RLIMIT_CPU, 1000, 2000 },	     { RLIMIT_FSIZE, 4096, 1 << 20 }, { RLIMIT_DATA, 100 << 20, RLIM_INFINITY },
	{ RLIMIT_STACK, 1 << 20, 64 << 20 }, { RLIMIT_CORE, 0, 0 },	      { RLIMIT_NPROC, 50, 60 },
	{ RLIMIT_NOFILE, 10, 20 },	     { RLIMIT_MEMLOCK, 0, 4096 },     { RLIMIT_LOCKS, 7, 8 },
	{ RLIMIT_SIGPENDING, 3, 4 },	     { RLIMIT_MSGQUEUE, 1000, 2000 }, { RLIMIT_RTTIME, 123456, 234567 },
};

#define N (ARRAY_SIZE(lowered))

static void check(void)
{
	for (size_t i = 0; i < N; i++) {
		struct rlimit limit;

		must(getrlimit(lowered[i].which, &limit));
		CHECK_EQUAL(limit.rlim_cur, lowered[i].soft);
		CHECK_EQUAL(limit.rlim_max, lowered[i].hard);
	}
}

static int child(void *arg)
{
	struct rlimit as = { 1ul << 30, 1ul << 31 }, found;

	must(setrlimit(RLIMIT_AS, &as));
	wait_for_restore();
	check();
	must(getrlimit(RLIMIT_AS, &found));
	CHECK_EQUAL(found.rlim_cur, as.rlim_cur);
	CHECK_EQUAL(found.rlim_max, as.rlim_max);
	return 0;
}

int main(void)
{
	int null = must(open("/dev/null", O_RDONLY)), high = must(dup2(null, 700));
	struct rlimit as, limit;
	pid_t pid;

	for (size_t i = 0; i < N; i++) {
		/* Who runs us may have less. */
		must(getrlimit(lowered[i].which, &limit));
		if (lowered[i].hard > limit.rlim_max)
			lowered[i].hard = limit.rlim_max;
		if (lowered[i].soft > lowered[i].hard)
			lowered[i].soft = lowered[i].hard;
		limit = (struct rlimit){ lowered[i].soft, lowered[i].hard };
		must(setrlimit(lowered[i].which, &limit));
	}
	pid = start_child(child, NULL);

	checkpoint_with(1);

	check();
	must(getrlimit(RLIMIT_AS, &as));
	CHECK(as.rlim_cur == RLIM_INFINITY);
	/* It was opened before the limit fell. */
	must(fcntl(high, F_GETFD));
	CHECK(dup2(null, 11) == -1 && errno == EBADF);
	join_child(pid, 0);
	return 0;
}
