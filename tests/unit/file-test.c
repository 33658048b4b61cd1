/* SPDX-License-Identifier: GPL-2.0-only */
/* Files, descriptors and transfers in full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/io.h"

static char dir[] = "/tmp/file-test-XXXXXX";

static void create(const char *name, const char *text)
{
	AUTO_CLOSE int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(io_write(fd, text, strlen(text)), 0);
}

static void test_text_files(void **state)
{
	char text[10], *all;
	size_t size;

	create("f", "123456789");
	assert_int_equal(file_read_text(AT_FDCWD, "f", text, sizeof(text)), 9);
	assert_string_equal(text, "123456789");
	assert_int_equal(file_read_text(AT_FDCWD, "f", text, 9), -EFBIG);
	assert_int_equal(file_read_text(AT_FDCWD, "none", text, 9), -ENOENT);
	assert_int_equal(file_write_text(AT_FDCWD, "f", "xy"), 0);
	assert_int_equal(file_read_all(AT_FDCWD, "f", &all, &size), 0);
	assert_int_equal(size, 2);
	assert_string_equal(all, "xy");
	free(all);
	assert_int_equal(file_write_text(AT_FDCWD, "none", "xy"), -ENOENT);
	/* Reports size 0, is longer than the first room, and comes in pieces. */
	assert_int_equal(file_read_all(AT_FDCWD, "/proc/self/smaps", &all, &size), 0);
	assert_true(size > 8192 && strlen(all) == size);
	free(all);
}

static void test_links(void **state)
{
	char target[10];

	assert_int_equal(symlink("123456789", "l"), 0);
	assert_int_equal(file_readlink(AT_FDCWD, "l", target, sizeof(target)), 9);
	assert_string_equal(target, "123456789");
	assert_int_equal(file_readlink(AT_FDCWD, "l", target, 9), -ENAMETOOLONG);
	assert_int_equal(file_readlink(AT_FDCWD, "none", target, 9), -ENOENT);
}

/* The writer gives one byte at a time, so each read(2) is short. */
static void test_short_transfers(void **state)
{
	char text[5] = "";
	int pipes[2];
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		for (const char *p = "abcdef"; *p; p++) {
			(void)!write(pipes[1], p, 1);
			usleep(2000);
		}
		_exit(0);
	}
	close(pipes[1]);
	assert_int_equal(io_read_exact(pipes[0], text, 4), 0);
	assert_string_equal(text, "abcd");
	assert_int_equal(io_read(pipes[0], text, 4), 2);
	assert_int_equal(io_read_exact(pipes[0], text, 1), -ENODATA);
	waitpid(child, NULL, 0);
	close(pipes[0]);
	assert_int_equal(io_read(pipes[0], text, 1), -EBADF);
	assert_int_equal(io_write(pipes[0], text, 1), -EBADF);
}

static void test_positions(void **state)
{
	AUTO_CLOSE int fd = open("p", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char text[8] = "";

	assert_int_equal(io_pwrite(fd, "xyz", 3, 4), 0);
	assert_int_equal(io_pread(fd, text, sizeof(text), 4), 3);
	assert_string_equal(text, "xyz");
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	assert_int_equal(io_pwrite(-1, "xyz", 3, 4), -EBADF);
}

static void test_descriptors(void **state)
{
	int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC), *fds, n;
	int fd = fd_move_above(open("/dev/null", O_RDONLY), 200), found = 0;

	assert_true(fd >= 200);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	n = fd_list(proc, "fd", &fds);
	assert_true(n >= 4); /* 1, 2, proc, fd: the standard input may be closed */
	for (int i = 0; i < n; i++) {
		assert_true(i == 0 || fds[i - 1] < fds[i]);
		assert_true(fcntl(fds[i], F_GETFD) >= 0);
		found += fds[i] == fd;
	}
	assert_int_equal(found, 1);
	free(fds);
	close(fd);
	close(proc);
	assert_int_equal(fd_list(proc, "fd", &fds), -EBADF);
	assert_int_equal(fd_move_above(fd, 200), -EBADF);
}

static void test_limit(void **state)
{
	struct rlimit limit, more;
	char text[32];

	assert_true(file_read_text(AT_FDCWD, "/proc/sys/fs/nr_open", text, sizeof(text)) > 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	more = (struct rlimit){ limit.rlim_cur, limit.rlim_max + 1 };
	if (limit.rlim_max >= strtoul(text, NULL, 10) || setrlimit(RLIMIT_NOFILE, &more) < 0)
		skip(); /* without CAP_SYS_RESOURCE */
	assert_int_equal(fd_raise_limit(), strtoul(text, NULL, 10));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(limit.rlim_cur, strtoul(text, NULL, 10));
}

static int enter_dir(void **state)
{
	fd_raise_limit();
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int remove_dir(void **state)
{
	unlink("f");
	unlink("l");
	unlink("p");
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_files),	cmocka_unit_test(test_links),
		cmocka_unit_test(test_short_transfers), cmocka_unit_test(test_positions),
		cmocka_unit_test(test_descriptors),	cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, enter_dir, remove_dir);
}
