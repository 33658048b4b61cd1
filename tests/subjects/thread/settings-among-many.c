// SPDX-License-Identifier: GPL-2.0-only
/* Of so many threads that only the first of each sort is asked itself, each keeps its settings, whatever it has of its
 * own. */
#include "subject.h"

#include <linux/mempolicy.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

SUBJECT(.seconds = 30)

#define N	   90
#define AUTODISARM (1u << 31)
#define SIZE	   16384
#define SORTS	   9

struct settings {
	char name[16];
	stack_t stack;
	long slack, death, mce, speculation[3], secure;
	long has_policy, mode;
	unsigned long nodes[16];
};

static char memory[N][SIZE];

static void look(struct settings *ret)
{
	int value = 0, mode = 0;

	memset(ret, 0, sizeof(*ret));
	must(prctl(PR_GET_NAME, ret->name));
	must(sigaltstack(NULL, &ret->stack));
	ret->slack = prctl(PR_GET_TIMERSLACK);
	must(prctl(PR_GET_PDEATHSIG, &value));
	ret->death = value;
	ret->mce = prctl(PR_MCE_KILL_GET, 0, 0, 0, 0);
	ret->secure = prctl(PR_GET_SECUREBITS);
	for (int i = 0; i < 3; i++)
		ret->speculation[i] = prctl(PR_GET_SPECULATION_CTRL, i, 0, 0, 0);
	ret->has_policy = syscall(SYS_get_mempolicy, &mode, ret->nodes, 1024, NULL, 0) == 0;
	ret->mode = mode;
}

/* What a machine or a user may not have, stays as it is. */
static void differ(long number)
{
	stack_t stack = { .ss_sp = memory[number], .ss_size = SIZE - (size_t)number };
	unsigned long nodes[16] = { 1 };

	switch (number % SORTS) {
	case 1:
		must(prctl(PR_SET_TIMERSLACK, 60000 + number));
		break;
	case 2:
		must(sigaltstack(&stack, NULL));
		break;
	case 3:
		stack.ss_flags = (int)AUTODISARM;
		must(sigaltstack(&stack, NULL));
		break;
	case 4:
		must(prctl(PR_SET_PDEATHSIG, SIGUSR1 + (number & 1)));
		break;
	case 5:
		must(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, number & 1 ? PR_MCE_KILL_EARLY : PR_MCE_KILL_LATE, 0, 0));
		break;
	case 6:
		(void)syscall(SYS_set_mempolicy, number & 1 ? MPOL_BIND : MPOL_INTERLEAVE, nodes, 1024);
		break;
	case 7:
		(void)prctl(PR_SET_SPECULATION_CTRL, number % 3, PR_SPEC_DISABLE, 0, 0);
		break;
	case 8:
		(void)prctl(PR_SET_SECUREBITS, number & 1 ? SECBIT_NO_SETUID_FIXUP : SECBIT_NOROOT);
		break;
	}
}

static void *work(void *arg)
{
	const long number = (long)arg;
	struct settings before, after;
	char name[16];

	snprintf(name, sizeof(name), "sort %ld, %ld", number % SORTS, number);
	must(prctl(PR_SET_NAME, name));
	differ(number);
	look(&before);
	wait_for_restore();
	look(&after);
	CHECK(!strcmp(before.name, after.name) && !strcmp(name, after.name));
	CHECK(before.stack.ss_sp == after.stack.ss_sp);
	CHECK_EQUAL(after.stack.ss_size, before.stack.ss_size);
	CHECK_EQUAL(after.stack.ss_flags, before.stack.ss_flags);
	CHECK_EQUAL(after.slack, before.slack);
	CHECK_EQUAL(after.death, before.death);
	CHECK_EQUAL(after.mce, before.mce);
	CHECK_EQUAL(after.secure, before.secure);
	for (int i = 0; i < 3; i++)
		CHECK_EQUAL(after.speculation[i], before.speculation[i]);
	CHECK_EQUAL(after.has_policy, before.has_policy);
	CHECK_EQUAL(after.mode, before.mode);
	CHECK(!memcmp(before.nodes, after.nodes, sizeof(before.nodes)));
	return (void *)(number + 1000); /* found by who joins: the kernel clears the word of the tid */
}

/* No root of the tree, whose parent is criu: it would lose the signals of its death. */
static int live(void *arg)
{
	pthread_t threads[N];

	for (long i = 0; i < N; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	wait_for_restore();
	for (long i = 0; i < N; i++) {
		void *result;

		CHECK_EQUAL(pthread_join(threads[i], &result), 0);
		CHECK_EQUAL((long)result, i + 1000);
	}
	return 0;
}

int main(void)
{
	pid_t child = start_child(live, NULL);

	checkpoint_with(N + 1);

	join_child(child, 0);
	return 0;
}
