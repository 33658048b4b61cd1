// SPDX-License-Identifier: GPL-2.0-only
/*
 * So many processes that what they have in common is looked at at once: one has children, which live in another UTS
 * namespace, as it does.
 */
#include <sched.h>

#include "subject.h"

SUBJECT(.seconds = 30)

#define N	   70
#define PARENT	   40
#define GRANDCHILD 3

static void get_name(char *name, size_t size)
{
	memset(name, 0, size);
	CHECK_EQUAL(gethostname(name, size - 1), 0);
}

static int wait_there(void *arg)
{
	char before[65], after[65];

	get_name(before, sizeof(before));
	wait_for_restore();
	get_name(after, sizeof(after));
	CHECK(!strcmp(before, after));
	return 0;
}

static int work(void *arg)
{
	pid_t children[GRANDCHILD];

	if ((long)arg != PARENT)
		return wait_there(NULL);
	if (geteuid() == 0 && unshare(CLONE_NEWUTS) == 0)
		must(sethostname("inner", 5));
	for (int i = 0; i < GRANDCHILD; i++)
		children[i] = start_child(wait_there, NULL);
	wait_there(NULL);
	for (int i = 0; i < GRANDCHILD; i++)
		join_child(children[i], 0);
	return 0;
}

int main(void)
{
	char before[65], after[65];
	pid_t children[N];

	get_name(before, sizeof(before));
	for (long i = 0; i < N; i++)
		children[i] = start_child(work, (void *)i);

	checkpoint_with(N + GRANDCHILD);

	get_name(after, sizeof(after));
	CHECK(!strcmp(before, after));
	CHECK(strcmp(before, "inner") != 0);
	for (int i = 0; i < N; i++)
		join_child(children[i], 0);
	return 0;
}
