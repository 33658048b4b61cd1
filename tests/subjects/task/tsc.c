// SPDX-License-Identifier: GPL-2.0-only
/* A thread that may not read the time stamp counter, beside one that may. */
#include "subject.h"

#include <pthread.h>
#include <setjmp.h>
#include <sys/prctl.h>

SUBJECT()

static sigjmp_buf back;

static void on_fault(int signal)
{
	siglongjmp(back, 1);
}

/* Whether reading it is a fault. */
static bool faults(void)
{
	if (sigsetjmp(back, 1))
		return true;
#ifdef __x86_64__
	__builtin_ia32_rdtsc();
#endif
	return false;
}

static void *work(void *arg)
{
	int mode = 0;

	must(prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	announce_waiter();
	while (!is_restored()) /* without the clock, which reads the counter */
		syscall(SYS_nanosleep, &(struct timespec){ 0, 1000000 }, NULL);
	must(prctl(PR_GET_TSC, &mode));
	CHECK_EQUAL(mode, PR_TSC_SIGSEGV);
	CHECK(faults());
	must(prctl(PR_SET_TSC, PR_TSC_ENABLE));
	return NULL;
}

int main(void)
{
	pthread_t thread;
	int mode = 0;

	if (prctl(PR_GET_TSC, &mode) < 0)
		skip("this CPU has no such counter");
	signal(SIGSEGV, on_fault);
	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);

	checkpoint_with(1);

	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	must(prctl(PR_GET_TSC, &mode));
	CHECK_EQUAL(mode, PR_TSC_ENABLE);
	CHECK(!faults());
	return 0;
}
