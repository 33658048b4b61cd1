// SPDX-License-Identifier: GPL-2.0-only
/* Children and grandchildren keep their pids, their parents and their own memory; exit statuses arrive. */
#include "subject.h"

SUBJECT()

static int value = 1;

static int grandchild(void *arg)
{
	pid_t pid = getpid(), parent = getppid();

	value = 3;
	wait_for_restore();
	CHECK_EQUAL(getpid(), pid);
	CHECK_EQUAL(getppid(), parent);
	CHECK_EQUAL(value, 3);
	return 33;
}

static int child(void *arg)
{
	pid_t pid = getpid(), parent = getppid(), first = start_child(grandchild, NULL), second;

	second = start_child(grandchild, NULL);
	value = 2;
	wait_for_restore();
	CHECK_EQUAL(getpid(), pid);
	CHECK_EQUAL(getppid(), parent);
	CHECK_EQUAL(value, 2);
	join_child(second, 33);
	join_child(first, 33);
	return 22;
}

int main(void)
{
	pid_t pid = getpid(), children[3];

	for (int i = 0; i < 3; i++)
		children[i] = start_child(child, NULL);

	checkpoint_with(9);

	CHECK_EQUAL(getpid(), pid);
	CHECK_EQUAL(value, 1);
	for (int i = 0; i < 3; i++)
		join_child(children[i], 22);
	CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
	return 0;
}
