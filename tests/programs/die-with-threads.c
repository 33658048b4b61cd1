/* SPDX-License-Identifier: GPL-2.0-only */
/* Has children all the time that die while their threads begin: a stop meets each at another moment. It ends by a
 * signal. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 6
#define THREADS	 4

static void *do_nothing(void *arg)
{
	return arg;
}

static void begin_child(void)
{
	pthread_t thread;

	if (fork())
		return;
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, do_nothing, NULL) != 0)
			break;
	_exit(0);
}

int main(void)
{
	for (int i = 0; i < CHILDREN; i++)
		begin_child();
	while (wait(NULL) > 0)
		begin_child();
	return 1;
}
