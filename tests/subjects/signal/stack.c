// SPDX-License-Identifier: GPL-2.0-only
/* Alternate signal stacks: none, plain, with AUTODISARM, in use with AUTODISARM; each in a thread. */
#include "subject.h"

#include <pthread.h>

SUBJECT()

#define AUTODISARM (1u << 31)
#define SIZE	   65536

static char memory[4][SIZE];

static void check(void *sp, size_t size, unsigned flags)
{
	stack_t stack;

	must(sigaltstack(NULL, &stack));
	CHECK(stack.ss_sp == sp);
	CHECK_EQUAL(stack.ss_size, size);
	CHECK_EQUAL((unsigned)stack.ss_flags, flags);
}

static void handle(int signal)
{
	char here;

	CHECK(&here > memory[2] && &here < memory[2] + SIZE);
	wait_for_restore();
	/* Disarmed while the handler runs. */
	check(NULL, 0, SS_DISABLE);
}

static void *none(void *arg)
{
	wait_for_restore();
	check(NULL, 0, SS_DISABLE);
	return NULL;
}

static void *armed(void *arg)
{
	stack_t stack = { .ss_sp = memory[1], .ss_size = SIZE, .ss_flags = (int)AUTODISARM };

	must(sigaltstack(&stack, NULL));
	wait_for_restore();
	check(memory[1], SIZE, AUTODISARM);
	return NULL;
}

static void *in_use(void *arg)
{
	stack_t stack = { .ss_sp = memory[2], .ss_size = SIZE, .ss_flags = (int)AUTODISARM };

	must(sigaltstack(&stack, NULL));
	CHECK_EQUAL(pthread_kill(pthread_self(), SIGUSR2), 0);
	check(memory[2], SIZE, AUTODISARM);
	return NULL;
}

int main(void)
{
	void *(*const works[])(void *) = { none, armed, in_use };
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK };
	stack_t stack = { .ss_sp = memory[3], .ss_size = SIZE };
	pthread_t threads[3];

	must(sigaction(SIGUSR2, &action, NULL));
	must(sigaltstack(&stack, NULL));
	for (int i = 0; i < 3; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, works[i], NULL), 0);

	checkpoint_with(3);

	check(memory[3], SIZE, 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	return 0;
}
