/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A program that counts, and tells what criu tells it:
 *	cc -o counter counter.c -lpthread && ./counter
 *	criu dump -t $(pidof counter) --shell-job -D images && criu restore --shell-job -D images
 */
#include <criu-tell.h>
#include <pthread.h>
#include <stdio.h>

static void *watch(void *arg)
{
	struct criu_tell *tell = arg;

	for (uint32_t seen = 0;;) {
		seen = criu_tell_wait(tell, seen);
		switch (tell->state) {
		case CRIU_TELL_DUMP:
			printf("about to be dumped\n");
			fflush(stdout);
			criu_tell_answer(tell, seen, 0);
			break;
		case CRIU_TELL_GOES_ON:
			printf("it is over, and I am who I was\n");
			break;
		case CRIU_TELL_RESTORED:
			printf("I am copy number %u\n", tell->copies);
			break;
		}
	}
	return NULL;
}

int main(void)
{
	struct criu_tell *tell = criu_tell_register(0);
	pthread_t thread;

	if (!tell || pthread_create(&thread, NULL, watch, tell) != 0) {
		perror("criu_tell_register");
		return 1;
	}
	for (unsigned i = 0;; i++) {
		printf("%u\n", i);
		fflush(stdout);
		sleep(1);
	}
}
