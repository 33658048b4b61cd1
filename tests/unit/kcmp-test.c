/* SPDX-License-Identifier: GPL-2.0-only */
/* Sharing of kernel objects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "kern/kcmp.h"
#include "kern/pidfd.h"

static uint32_t id_of(struct kcmp_tree *tree, pid_t pid, int fd, uint64_t hint, bool is_new)
{
	uint32_t id;
	bool got_new;

	assert_int_equal(kcmp_id(tree, pid, (unsigned long)fd, hint, &id, &got_new), 0);
	assert_int_equal(got_new, is_new);
	return id;
}

/* Descriptors that all carry the same hint: the kernel must tell them apart. */
static void test_files(void **state)
{
	enum { N = 300 };
	struct kcmp_tree *tree = kcmp_tree_create(KCMP_FILE);
	int fds[N], copies[N];

	for (int i = 0; i < N; i++) {
		fds[i] = open("/dev/null", O_RDONLY);
		copies[i] = dup(fds[i]);
		assert_true(copies[i] >= 0);
	}
	for (int i = 0; i < N; i++)
		assert_int_equal(id_of(tree, getpid(), fds[i], 7, true), i + 1);
	for (int i = N - 1; i >= 0; i--)
		assert_int_equal(id_of(tree, getpid(), copies[i], 7, false), i + 1);
	for (int i = 0; i < N; i++) {
		close(fds[i]);
		close(copies[i]);
	}
	kcmp_tree_destroy(&tree);
}

/* Different hints need no system call: not even a bad descriptor is noticed. */
static void test_hints(void **state)
{
	struct kcmp_tree *tree = kcmp_tree_create(KCMP_FILE);
	uint32_t id;
	bool is_new;

	for (int i = 0; i < 10000; i++)
		assert_int_equal(id_of(tree, getpid(), 1000000 + i, (uint64_t)i + 1, true), i + 1);
	assert_int_equal(kcmp_id(tree, getpid(), 1000000, 1, &id, &is_new), -EBADF);
	kcmp_tree_destroy(&tree);
}

/* Of tasks that run: what they close and open again is told apart from what was there before. */
static void test_closed_meanwhile(void **state)
{
	struct kcmp_tree *tree = kcmp_tree_create(KCMP_FILE);
	int first = open("/dev/null", O_RDONLY), second = open("/dev/null", O_RDONLY);
	uint32_t id;
	bool is_new;

	id_of(tree, getpid(), first, 7, true);
	id_of(tree, getpid(), second, 7, true);
	close(first);
	close(second);
	assert_int_equal(kcmp_id(tree, getpid(), (unsigned long)first, 7, &id, &is_new), -EBADF);
	assert_int_equal(open("/dev/zero", O_RDONLY), first);
	second = fcntl(first, F_DUPFD, 100);
	assert_int_equal(id_of(tree, getpid(), second, 8, true), 3);
	close(first);
	assert_int_equal(id_of(tree, getpid(), second, 7, true), 4); /* both nodes are closed */
	close(second);
	kcmp_tree_destroy(&tree);
}

static void test_memory_of_processes(void **state)
{
	struct kcmp_tree *vm = kcmp_tree_create(KCMP_VM), *files = kcmp_tree_create(KCMP_FILES);
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(id_of(vm, getpid(), 0, 0, true), 1);
	assert_int_equal(id_of(vm, child, 0, 0, true), 2);
	assert_int_equal(id_of(vm, getpid(), 0, 0, false), 1);
	assert_int_equal(id_of(files, getpid(), 0, 0, true), 1);
	assert_int_equal(id_of(files, child, 0, 0, true), 2);
	assert_int_equal(kcmp_compare(KCMP_FILE, getpid(), 1, child, 1), 0); /* fork shares open files */
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	kcmp_tree_destroy(&vm);
	kcmp_tree_destroy(&files);
}

static void test_epoll_target(void **state)
{
	int pipes[2], other[2], epfd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(pipe(other), 0);
	assert_int_equal(epoll_ctl(epfd, EPOLL_CTL_ADD, pipes[0], &event), 0);
	assert_int_equal(kcmp_epoll_target(getpid(), pipes[0], getpid(), epfd, pipes[0], 0), 1);
	assert_int_equal(kcmp_epoll_target(getpid(), other[0], getpid(), epfd, pipes[0], 0), 0);
	assert_int_equal(kcmp_epoll_target(getpid(), other[0], getpid(), epfd, other[0], 0), -ENOENT);
	for (int i = 0; i < 2; i++) {
		close(pipes[i]);
		close(other[i]);
	}
	close(epfd);
}

static void test_pidfd(void **state)
{
	pid_t child = fork();
	int pidfd, fd;

	if (child == 0) {
		pause();
		_exit(0);
	}
	pidfd = pidfd_of_process(child);
	assert_true(pidfd >= 0);
	fd = pidfd_take_fd(pidfd, STDOUT_FILENO);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(kcmp_compare(KCMP_FILE, getpid(), (unsigned long)fd, child, STDOUT_FILENO), 0);
	close(fd);
	assert_int_equal(pidfd_take_fd(pidfd, 999999), -EBADF);
	assert_int_equal(pidfd_signal(pidfd, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(pidfd_signal(pidfd, 0), -ESRCH);
	assert_int_equal(pidfd_take_fd(pidfd, STDOUT_FILENO), -ESRCH);
	close(pidfd);
	assert_int_equal(pidfd_of_process(child), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_hints),
		cmocka_unit_test(test_closed_meanwhile),
		cmocka_unit_test(test_memory_of_processes),
		cmocka_unit_test(test_epoll_target),
		cmocka_unit_test(test_pidfd),
	};

	fd_raise_limit();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
