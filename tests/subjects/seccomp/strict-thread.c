// SPDX-License-Identifier: GPL-2.0-only
/* A thread in seccomp strict mode beside free ones; it still can read, write and end. */
#include "filters.h"

#include <pthread.h>

SUBJECT()

static int to_thread[2], to_main[2];

static void *work(void *arg)
{
	char byte = 's';

	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	syscall(SYS_write, to_main[1], &byte, 1);
	syscall(SYS_read, to_thread[0], &byte, 1);
	byte++;
	syscall(SYS_write, to_main[1], &byte, 1);
	syscall(SYS_exit, 0);
	return NULL;
}

int main(void)
{
	pthread_t thread;
	char byte;

	must(pipe(to_thread));
	must(pipe(to_main));
	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);
	must(read(to_main[0], &byte, 1));

	checkpoint();

	must(write(to_thread[1], "x", 1));
	must(read(to_main[0], &byte, 1));
	CHECK_EQUAL(byte, 'y');
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	return 0;
}
