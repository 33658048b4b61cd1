/* SPDX-License-Identifier: GPL-2.0-only */
/* The log: form of the lines, what is kept before it opens, what survives a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"

static char dir[] = "/tmp/log-test-XXXXXX";

static bool matches(const char *text, const char *pattern)
{
	regex_t regex;
	bool result;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB))
		return false;
	result = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return result;
}

static const char *content(void)
{
	static char text[200000];

	assert_true(file_read_text(AT_FDCWD, "log", text, sizeof(text)) >= 0);
	return text;
}

static void write_all_levels(void)
{
	log_error("e %d", 1);
	log_warn("w\n");
	log_info("i");
	log_debug("d");
}

static void test_early_lines(void **state)
{
	write_all_levels();
	log_set_level(3);
	assert_int_equal(log_open("log"), 0);
	assert_true(matches(content(), "^\\(00\\.000000\\) Error \\(.*log-test\\.c:[0-9]+\\): e 1\n"
				       "\\(00\\.000000\\) Warn  \\(.*log-test\\.c:[0-9]+\\): w\n"
				       "\\(00\\.000000\\) i\n$"));
	log_close();
}

static void test_lines(void **state)
{
	LOG_SCOPE("task %d", 5);

	log_set_level(2);
	assert_int_equal(log_open("log"), 0);
	write_all_levels();
	assert_false(log_enabled(LOG_INFO));
	log_set_level(4);
	write_all_levels();
	log_close();
	assert_true(matches(content(), "^Error \\([^)]*\\): task 5: e 1\nWarn  \\([^)]*\\): task 5: w\n"
				       "\\(00\\.0[0-9]{5}\\) Error \\([^)]*\\): task 5: e 1\n"
				       "\\(00\\.0[0-9]{5}\\) Warn  \\([^)]*\\): task 5: w\n"
				       "\\(00\\.0[0-9]{5}\\) task 5: i\n\\(00\\.0[0-9]{5}\\) task 5: d\n$"));
}

static void test_long_lines(void **state)
{
	char *text = malloc(100001);

	memset(text, 120, 100000);
	text[100000] = 0;
	log_set_level(4);
	assert_int_equal(log_open("log"), 0);
	log_info("%s", text);
	log_debug("%.3000s", text);
	log_close();
	assert_int_equal(strlen(content()), 12 + 100000 + 1 + 12 + 3000 + 1);
	free(text);
}

/* A child inherits no collected line, and its own ones are there after it was killed by a fatal signal. */
static void test_fork_and_crash(void **state)
{
	const char *text;
	pid_t child;
	int status;

	signal(SIGSEGV, SIG_DFL); /* cmocka has a handler, and ours does not replace others */
	log_set_level(4);
	assert_int_equal(log_open("log"), 0);
	log_info("parent");
	child = fork();
	if (child == 0) {
		log_info("child");
		kill(getpid(), SIGSEGV);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	log_close();
	text = content();
	assert_true(matches(text, "^[^p]* parent\n[^c]* child\n$"));
}

static void test_message_goes_to_stdout(void **state)
{
	int saved = dup(STDOUT_FILENO), file = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char text[100];

	fflush(stdout);
	dup2(file, STDOUT_FILENO);
	log_message("Looks good.");
	dup2(saved, STDOUT_FILENO);
	assert_true(file_read_text(AT_FDCWD, "out", text, sizeof(text)) > 0);
	assert_string_equal(text, "Looks good.\n");
	close(saved);
	close(file);
}

static int enter_dir(void **state)
{
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int remove_dir(void **state)
{
	unlink("log");
	unlink("out");
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_early_lines),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_fork_and_crash),
		cmocka_unit_test(test_message_goes_to_stdout),
	};

	return cmocka_run_group_tests(tests, enter_dir, remove_dir);
}
