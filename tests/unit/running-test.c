/* SPDX-License-Identifier: GPL-2.0-only */
/* A tree that runs is walked as a whole, and a process of it once, however it is told who is whose child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/vector.h"
#include "kern/proc/file-iter.h"
#include "kern/proc/running.h"
#include "kern/task-iter.h"

#define CHILDREN 30

struct met {
	VECTOR(pid_t) pids;
	struct file_iter *files;
	unsigned pipes;
};

static bool is_pipe(void *arg, const struct running_descriptor *one)
{
	return one->format == S_IFIFO;
}

static bool count_pipe(void *arg, const struct running_descriptor *one)
{
	((struct met *)arg)->pipes++;
	return false;
}

static bool meet(void *arg, pid_t pid, int proc)
{
	struct met *met = arg;

	for (size_t i = 0; i < met->pids.n; i++)
		assert_int_not_equal(met->pids.items[i], pid);
	*vector_push(&met->pids) = pid;
	running_visit_descriptors(pid, proc, &(struct running_visitor){ met->files, is_pipe, count_pipe, met });
	return false;
}

static void live(int fd)
{
	(void)!write(fd, "", 1);
	pause();
	_exit(0);
}

static void walk(pid_t root, struct task_iter *iter, struct file_iter *files, unsigned n)
{
	struct met met = { .files = files };

	running_visit_tree(root, iter, files, meet, &met);
	assert_int_equal(met.pids.n, n);
	assert_int_equal(met.pids.items[0], root);
	assert_true(met.pipes >= 2 * n);
	vector_done(&met.pids);
}

/* A child with children of its own, each of which has one. */
static void test_tree(void **state)
{
	AUTO(task_iter_destroy) struct task_iter *iter = task_iter_create();
	AUTO(file_iter_destroy) struct file_iter *files = file_iter_create();
	pid_t root;
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	root = fork();
	if (root == 0) {
		setpgid(0, 0);
		for (int i = 0; i < CHILDREN; i++)
			if (fork() == 0) {
				if (fork() == 0)
					live(ready[1]);
				live(ready[1]);
			}
		live(ready[1]);
	}
	for (int i = 0; i < 2 * CHILDREN + 1; i++)
		assert_int_equal(read(ready[0], &byte, 1), 1);
	walk(root, NULL, NULL, 2 * CHILDREN + 1);
	walk(root, iter, files, 2 * CHILDREN + 1); /* it is found to be large on the way */
	walk(root, iter, files, 2 * CHILDREN + 1); /* that is known */
	kill(-root, SIGKILL);
	waitpid(root, NULL, 0);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
