/* SPDX-License-Identifier: GPL-2.0-only */
/* Failures: texts, scopes, the first cause, fault injection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/workers.h"

static int setup(void **state)
{
	failure_reset();
	return 0;
}

static void test_first_failure_is_kept(void **state)
{
	assert_int_equal(failure_error(), 0);
	assert_string_equal(failure_text(), "");
	{
		LOG_SCOPE("task %d", 42);
		LOG_SCOPE("fd %d", 7);
		assert_int_equal(fail(ENOENT, "open %s", "/no/such"), -ENOENT);
	}
	assert_int_equal(refuse(EBUSY, "a later one"), -EBUSY);
	assert_int_equal(failure_error(), ENOENT);
	assert_string_equal(failure_text(), "task 42: fd 7: open /no/such: No such file or directory");
	failure_reset();
	assert_int_equal(failure_error(), 0);
}

static void test_no_scope_is_said_twice(void **state)
{
	LOG_SCOPE("task %d (%s)", 1, "sh");
	{
		LOG_SCOPE("task %d (%s)", 1, "sh");
		refuse(EINVAL, "task %d (%s): no", 1, "sh");
		assert_string_equal(failure_text(), "task 1 (sh): no");
	}
	failure_reset();
	LOG_SCOPE("task %d (%s): fd %d", 1, "sh", 7);
	refuse(EINVAL, "task %d (%s) is not task 1 (sh)", 1, "sh");
	assert_string_equal(failure_text(), "task 1 (sh): fd 7: task 1 (sh) is not task 1 (sh)");
}

static void test_refuse_has_no_errno(void **state)
{
	assert_int_equal(refuse(EINVAL, "use --ext-unix-sk"), -EINVAL);
	assert_string_equal(failure_text(), "use --ext-unix-sk");
}

static void test_long_text_keeps_the_reason(void **state)
{
	char text[4000];

	memset(text, 120, sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	fail(ENOSPC, "%s", text);
	assert_non_null(strstr(failure_text(), "x: No space left on device"));
}

static int pass_on(int result)
{
	TRY(result);
	return 1;
}

static void test_try(void **state)
{
	assert_int_equal(pass_on(0), 1);
	assert_int_equal(pass_on(-EPERM), -EPERM);
}

static void test_failure_of_a_child_arrives(void **state)
{
	pid_t child = fork();

	if (child == 0) {
		fail(EPERM, "in the child");
		_exit(0);
	}
	waitpid(child, NULL, 0);
	assert_int_equal(failure_error(), EPERM);

	child = fork();
	if (child == 0) {
		failure_reset();
		fail(EIO, "in a run of its own");
		_exit(failure_error());
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(failure_error(), EPERM);
}

static int fail_in_worker(void *arg, size_t item, unsigned worker)
{
	LOG_SCOPE("item %zu", item);

	return item == 50 ? fail(EPERM, "bad") : 0;
}

static void test_workers_show_the_scopes_of_their_caller(void **state)
{
	struct workers *workers = workers_create(4);
	LOG_SCOPE("dump");

	assert_int_equal(workers_run(workers, 100, fail_in_worker, NULL), -EPERM);
	assert_string_equal(failure_text(), "dump: item 50: bad: Operation not permitted");
	workers_destroy(&workers);
}

static void test_fail_point(void **state)
{
	char path[] = "/tmp/fail-list-XXXXXX", text[100];
	int fd = mkstemp(path);

	assert_int_equal(fail_point("dump/freeze"), 0);
	setenv("CRIU_FAIL_AT", "dump/freeze", 1);
	setenv("CRIU_FAIL_LIST", path, 1);
	assert_int_equal(fail_point("dump/collect"), 0);
	assert_int_equal(fail_point("dump/freeze"), -EIO);
	assert_int_equal(failure_error(), EIO);
	unsetenv("CRIU_FAIL_AT");
	unsetenv("CRIU_FAIL_LIST");
	assert_true(file_read_text(AT_FDCWD, path, text, sizeof(text)) > 0);
	assert_string_equal(text, "dump/collect\ndump/freeze\n");
	close(fd);
	unlink(path);
}

#define TEST(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_first_failure_is_kept),
		TEST(test_no_scope_is_said_twice),
		TEST(test_refuse_has_no_errno),
		TEST(test_long_text_keeps_the_reason),
		TEST(test_try),
		TEST(test_failure_of_a_child_arrives),
		TEST(test_workers_show_the_scopes_of_their_caller),
		TEST(test_fail_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
