// SPDX-License-Identifier: GPL-2.0-only
/* Names of a process and of its threads, with every sort of character. */
#include "subject.h"

#include <pthread.h>
#include <sys/prctl.h>

SUBJECT()

static const char *const names[] = { "a) R 1 2 (b", "tab\tnew\nline", "\\back\\slash", "\xc3\xbc\xff", "" };

#define N (ARRAY_SIZE(names))

static void check(const char *wanted)
{
	char name[16];

	must(prctl(PR_GET_NAME, name));
	CHECK(!strcmp(name, wanted));
}

static void *work(void *arg)
{
	must(prctl(PR_SET_NAME, arg));
	wait_for_restore();
	check(arg);
	return NULL;
}

int main(void)
{
	pthread_t threads[N];

	for (size_t i = 0; i < N; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, work, (void *)names[i]), 0);
	must(prctl(PR_SET_NAME, "fifteen letters"));

	checkpoint_with(N);

	check("fifteen letters");
	for (size_t i = 0; i < N; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	return 0;
}
