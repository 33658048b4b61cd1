// SPDX-License-Identifier: GPL-2.0-only
/* A program that wants to know (criu-tell.h): told before each dump and waited for, told what it is after it, and never
 * twice. */
#include <criu-tell.h>
#include <pthread.h>
#include <stdatomic.h>

#include "subject.h"

SUBJECT(.seconds = 20)

static struct criu_tell *tell;
static atomic_uint dumps, goes_on, restored, wrong;
static atomic_int watcher;

static void *watch(void *arg)
{
	uint32_t last = CRIU_TELL_GOES_ON;

	watcher = gettid();

	for (uint32_t seen = 0;;) {
		uint32_t now = criu_tell_wait(tell, seen);

		/* After a restore the number is that of the images, and one more. */
		wrong += now != seen + 1;
		seen = now;
		switch (tell->state) {
		case CRIU_TELL_DUMP:
			wrong += last == CRIU_TELL_DUMP;
			dumps++;
			criu_tell_answer(tell, seen, 0);
			break;
		case CRIU_TELL_GOES_ON:
			wrong += last != CRIU_TELL_DUMP;
			goes_on++;
			break;
		case CRIU_TELL_RESTORED:
			wrong += last != CRIU_TELL_DUMP;
			restored++;
			break;
		default:
			wrong++;
		}
		last = tell->state;
	}
	return arg;
}

int main(void)
{
	pthread_t thread;

	tell = criu_tell_register(0);
	CHECK(tell);
	CHECK_EQUAL(pthread_create(&thread, NULL, watch, NULL), 0);
	while (!watcher)
		sleep_ms(1);
	await_call(watcher, SYS_futex);
	checkpoint();
	for (int i = 0; i < 1000 && dumps != goes_on + restored; i++)
		sleep_ms(10);
	CHECK_EQUAL(wrong, 0);
	CHECK_EQUAL(dumps, goes_on + restored);
	CHECK_EQUAL(tell->copies, restored);
	return 0;
}
