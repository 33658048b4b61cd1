/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel keeps of open files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/page.h"
#include "kern/proc/file-iter.h"
#include "kern/task-iter.h"

static struct file_iter *iter;
static struct file_facts_list facts;

static const struct file_facts *look_at(int fd)
{
	const struct file_facts *told;

	assert_true(file_iter_read(iter, getpid(), &facts));
	told = file_facts_find(&facts, fd);
	assert_non_null(told);
	return told;
}

/* What is told is what calls tell. */
static const struct file_facts *compare_with_calls(int fd)
{
	const struct file_facts *told = look_at(fd);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(told->number, fd);
	assert_int_equal(told->mode, st.st_mode);
	assert_int_equal(told->ino, st.st_ino);
	assert_int_equal(told->dev, st.st_dev);
	assert_int_equal(told->uid, st.st_uid);
	assert_int_equal(told->gid, st.st_gid);
	assert_int_equal(told->flags & ~(unsigned)O_CLOEXEC, fcntl(fd, F_GETFL));
	return told;
}

static int find_program(void **state)
{
	iter = file_iter_create();
	return 0;
}

static int forget_program(void **state)
{
	file_facts_done(&facts);
	file_iter_destroy(&iter);
	return 0;
}

#define SKIP_WITHOUT()                                       \
	do {                                                 \
		if (!file_iter_read(iter, getpid(), &facts)) \
			skip();                              \
	} while (0)

static void test_pipes(void **state)
{
	const struct file_facts *told;
	int ends[2];

	SKIP_WITHOUT();
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	told = compare_with_calls(ends[0]);
	assert_true(told->knows_pipe && told->is_empty && told->has_readers && told->has_writers);
	assert_int_equal(told->pages_max * page_size(), fcntl(ends[0], F_GETPIPE_SZ));
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 300000) > 0);
	told = compare_with_calls(ends[1]);
	assert_int_equal(told->pages_max * page_size(), fcntl(ends[0], F_GETPIPE_SZ));
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_false(look_at(ends[0])->is_empty);
	close(ends[1]);
	told = look_at(ends[0]);
	assert_true(!told->is_empty && told->has_readers && !told->has_writers);
	assert_null(file_facts_find(&facts, ends[1]));
	close(ends[0]);
}

static void test_sockets(void **state)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	char path[64];
	int fd, by_path;

	SKIP_WITHOUT();
	for (size_t i = 0; i < 4; i++) {
		fd = socket(families[i], SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (fd < 0)
			continue; /* no IPv6 */
		assert_int_equal(compare_with_calls(fd)->family, families[i]);
		close(fd);
	}
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(fchown(fd, 77, 78), 0);
	compare_with_calls(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	by_path = open(path, O_PATH); /* the name, not the socket */
	assert_true(by_path >= 0);
	assert_int_equal(look_at(by_path)->family, 0);
	assert_true(look_at(by_path)->flags & O_PATH);
	close(by_path);
	close(fd);
}

static void test_owners(void **state)
{
	int fds[] = { socket(AF_UNIX, SOCK_STREAM, 0), eventfd(0, 0), open("/dev/null", O_RDWR | O_APPEND) };

	SKIP_WITHOUT();
	for (size_t i = 0; i < 3; i++) {
		const bool knows = compare_with_calls(fds[i])->has_no_owner;

		assert_int_equal(i % 2 ? fcntl(fds[i], F_SETSIG, SIGURG) : fcntl(fds[i], F_SETOWN, getpid()), 0);
		assert_false(look_at(fds[i])->has_no_owner);
		if (!knows)
			print_message("this kernel does not tell who has no owner\n");
		close(fds[i]);
	}
}

/* More than the kernel tells in one go. */
static void test_many(void **state)
{
	int first = -1, last = -1;

	SKIP_WITHOUT();
	for (int i = 0; i < 600; i++) {
		last = eventfd(0, 0);
		first = first < 0 ? last : first;
	}
	assert_true(last >= 599);
	assert_true(file_iter_read(iter, getpid(), &facts));
	for (int fd = first; fd <= last; fd++) {
		assert_non_null(file_facts_find(&facts, fd));
		close(fd);
	}
	assert_non_null(file_iter_read_still(iter, getpid()));
	assert_ptr_equal(file_iter_read_still(iter, getpid()), file_iter_read_still(iter, getpid()));
}

/* What a child has got is the same, and what it opens again is not; a lock shows from then on. */
static void test_all(void **state)
{
	AUTO(task_iter_destroy) struct task_iter *tasks = task_iter_create();
	AUTO(task_facts_done) struct task_facts_list list = { 0 };
	const struct file_facts_list *mine, *its;
	char path[] = "/tmp/file-iter-XXXXXX";
	int fd = mkstemp(path), ready[2], other;
	char byte;
	pid_t child;

	if (!task_iter_prepare(tasks))
		skip();
	SKIP_WITHOUT();
	other = dup(fd);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		dup2(open(path, O_RDONLY), other);
		(void)!write(ready[1], "", 1);
		pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_true(task_iter_read(tasks, 0, &list));
	assert_null(file_iter_find(iter, child, true));
	assert_true(file_iter_read_all(iter, &list, 1 << 20, true));
	mine = file_iter_find(iter, getpid(), true);
	its = file_iter_find(iter, child, true);
	assert_true(mine && its);
	assert_ptr_equal(file_iter_read_still(iter, child), its);
	assert_int_equal(file_facts_find(mine, fd)->file, file_facts_find(its, fd)->file);
	assert_int_equal(file_facts_find(mine, fd)->file, file_facts_find(mine, other)->file);
	assert_int_not_equal(file_facts_find(mine, fd)->file, file_facts_find(its, other)->file);
	assert_true(file_facts_find(mine, fd)->has_no_locks);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_false(look_at(fd)->has_no_locks);
	assert_true(file_iter_read_all(iter, &list, 1 << 20, false));
	assert_non_null(file_iter_find(iter, child, false));
	file_iter_forget_running(iter);
	assert_null(file_iter_find(iter, child, false));
	assert_false(file_iter_read_all(iter, &list, 0, false)); /* too many of others */
	assert_null(file_iter_find(iter, child, false));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	unlink(path);
	close(fd);
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipes), cmocka_unit_test(test_sockets), cmocka_unit_test(test_owners),
		cmocka_unit_test(test_many),  cmocka_unit_test(test_all),
	};

	return cmocka_run_group_tests(tests, find_program, forget_program);
}
