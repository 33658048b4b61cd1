// SPDX-License-Identifier: GPL-2.0-only
/* Restartable sequences: registered as before, and kept up to date by the kernel, in every thread. */
#include "subject.h"

#include <pthread.h>
#include <sched.h>
#include <sys/rseq.h>

SUBJECT()

/* glibc 2.35 and later registers; this finds out whether it did, with raw calls only. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

struct area {
	uint32_t cpu_id_start, cpu_id;
	uint64_t section;
};

static volatile struct area *area(void)
{
	return (volatile struct area *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

static void check(void)
{
	int cpu;

	/* Registered at this address: the same again is refused as busy, not as invalid. */
	CHECK(syscall(SYS_rseq, area(), 32, 0, RSEQ_SIG) == -1 && errno == EBUSY);
	for (int i = 0; i < 100; i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET((unsigned)i % 2, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			return; /* this machine has one CPU */
		cpu = sched_getcpu();
		CHECK_EQUAL(area()->cpu_id, cpu);
		CHECK_EQUAL(cpu, i % 2);
	}
}

static void *work(void *arg)
{
	wait_for_restore();
	check();
	return NULL;
}

int main(void)
{
	pthread_t threads[4];

	if (!&__rseq_size || !__rseq_size)
		skip("this C library does not register restartable sequences");
	for (int i = 0; i < 4; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, work, NULL), 0);

	checkpoint_with(4);

	check();
	for (int i = 0; i < 4; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	return 0;
}
