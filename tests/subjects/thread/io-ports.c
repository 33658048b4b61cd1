// SPDX-License-Identifier: GPL-2.0-only
/* Threads that may use I/O ports: single ones (ioperm), all (iopl), none, beside each other. */
#include "subject.h"

#include <pthread.h>
#include <setjmp.h>
#include <sys/io.h>

SUBJECT()

/* Ports of the debugging card that no machine has: whoever reads them disturbs nobody. */
enum { FIRST = 0x80, SECOND = 0x84, HIGHEST = 0xffff };

static __thread sigjmp_buf back;

static void on_fault(int signal)
{
	siglongjmp(back, 1);
}

static bool may_read(unsigned short port)
{
	if (sigsetjmp(back, 1))
		return false;
	(void)inb(port);
	return true;
}

static void *have_all(void *arg)
{
	must(iopl(3));
	wait_for_restore();
	CHECK(may_read(FIRST));
	CHECK(may_read(SECOND));
	must(iopl(0));
	CHECK(!may_read(SECOND));
	return NULL;
}

static void *have_both(void *arg)
{
	must(ioperm(FIRST, 1, 1));
	must(iopl(3));
	wait_for_restore();
	CHECK(may_read(SECOND));
	must(iopl(0));
	CHECK(!may_read(SECOND));
	CHECK(may_read(FIRST));
	return NULL;
}

static void *have_none(void *arg)
{
	wait_for_restore();
	CHECK(!may_read(FIRST));
	return NULL;
}

int main(void)
{
	void *(*const work[])(void *) = { have_none, have_all, have_both };
	pthread_t threads[ARRAY_SIZE(work)];

	if (ioperm(FIRST, 1, 0) < 0 && errno == ENOSYS)
		skip("this kernel gives nobody I/O ports");
	signal(SIGSEGV, on_fault);
	for (size_t i = 0; i < ARRAY_SIZE(work); i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, work[i], NULL), 0);
	must(ioperm(FIRST, 2, 1));
	must(ioperm(HIGHEST, 1, 1));

	checkpoint_with(ARRAY_SIZE(work));

	CHECK(may_read(FIRST));
	CHECK(may_read(FIRST + 1));
	CHECK(!may_read(SECOND));
	CHECK(may_read(HIGHEST));
	for (size_t i = 0; i < ARRAY_SIZE(work); i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	return 0;
}
