/* SPDX-License-Identifier: GPL-2.0-only */
/* Configuration files: their lines, and their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pool.h"
#include "options/config-file.h"
#include "options/options.h"

static struct pool *pool;

/* The word of a line, "" for none, "?" for a line that is refused. */
static const char *word_of(const char *line)
{
	const char *word = NULL;

	if (config_line_parse(pool, pool_string(pool, line), &word) < 0)
		return "?";
	return word ?: "";
}

static void test_lines(void **state)
{
	pool = pool_create();
	assert_string_equal(word_of(""), "");
	assert_string_equal(word_of("   \t "), "");
	assert_string_equal(word_of("# dump"), "");
	assert_string_equal(word_of("  # dump"), "");
	assert_string_equal(word_of("shell-job"), "--shell-job");
	assert_string_equal(word_of("  shell-job  "), "--shell-job");
	assert_string_equal(word_of("no-shell-job # why"), "--no-shell-job");
	assert_string_equal(word_of("timeout 5"), "--timeout=5");
	assert_string_equal(word_of("timeout\t5"), "--timeout=5");
	assert_string_equal(word_of("timeout   5  # five"), "--timeout=5");
	assert_string_equal(word_of("timeout 5#five"), "--timeout=5");
	assert_string_equal(word_of("timeout 5\r"), "--timeout=5");
	assert_string_equal(word_of("root \"/a b\""), "--root=/a b");
	assert_string_equal(word_of("root \"/a#b\" # c"), "--root=/a#b");
	assert_string_equal(word_of("root \"a\\\"b\""), "--root=a\"b");
	assert_string_equal(word_of("root \"\""), "--root=");
	assert_string_equal(word_of("root /a b"), "?");
	assert_string_equal(word_of("root \"/a"), "?");
	assert_string_equal(word_of("root \"/a\" b"), "?");
	assert_string_equal(word_of("root \"/a\\\""), "?");
	pool_destroy(&pool);
}

static char folder[] = "/tmp/criu-config-XXXXXX";

static const char *write_file(const char *name, const char *text)
{
	static char path[4][128];
	static int next;
	char *to = path[next++ % 4];
	FILE *file;

	snprintf(to, sizeof(path[0]), "%s/%s", folder, name);
	file = fopen(to, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return to;
}

static int parse(struct options *options, char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	options_init(options);
	return options_parse(options, argc, argv);
}

#define PARSE(options, ...) parse(options, (char *[]){ (char *)"criu", __VA_ARGS__, NULL })

/* Home, then the environment, then --config (which replaces home), then the command line. */
static void test_order(void **state)
{
	struct options o;
	char *chosen;

	write_file(".criu/default.conf", "timeout 1\nverbosity 4\nshell-job\n");
	setenv("CRIU_CONFIG_FILE", write_file("env.conf", "timeout 2\n"), 1);
	chosen = (char *)write_file("chosen.conf", "\n# chosen\ntimeout 3\nexternal \"mnt[/a b]:c\"\n");

	assert_int_equal(PARSE(&o, "dump"), OPTIONS_RUN);
	assert_int_equal(o.timeout, 2);
	assert_int_equal(o.verbosity, 4);
	assert_true(o.shell_job);
	options_done(&o);

	assert_int_equal(PARSE(&o, "dump", "--no-default-config", "--no-shell-job"), OPTIONS_RUN);
	assert_int_equal(o.timeout, 2);
	assert_int_equal(o.verbosity, 2);
	options_done(&o);

	assert_int_equal(PARSE(&o, "dump", "--config", chosen), OPTIONS_RUN);
	assert_int_equal(o.timeout, 3);
	assert_int_equal(o.verbosity, 2);
	assert_string_equal(o.external.items[0], "mnt[/a b]:c");
	options_done(&o);

	assert_int_equal(PARSE(&o, "dump", "--timeout=4", "--no-shell-job", "--config", chosen), OPTIONS_RUN);
	assert_int_equal(o.timeout, 4);
	assert_false(o.shell_job);
	options_done(&o);
	unsetenv("CRIU_CONFIG_FILE");
}

static void test_wrong_files(void **state)
{
	struct options o;

	assert_int_equal(PARSE(&o, "dump", "--config", "/nonexistent/file"), OPTIONS_RUN);
	options_done(&o);
	assert_int_equal(PARSE(&o, "dump", "--config", (char *)write_file("a", "bogus\n")), -EINVAL);
	options_done(&o);
	assert_int_equal(PARSE(&o, "dump", "--config", (char *)write_file("b", "root /a b\n")), -EBADRQC);
	options_done(&o);
	assert_int_equal(PARSE(&o, "dump", "--config", (char *)write_file("c", "timeout many\n")), -EBADRQC);
	options_done(&o);
	assert_int_equal(PARSE(&o, "dump", "--config", (char *)write_file("d", "dump\n")), -EINVAL);
	options_done(&o);
	assert_int_equal(PARSE(&o, "dump", "--config", folder), -EISDIR);
	options_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_wrong_files),
	};
	char path[128], command[160];
	int failed;

	unsetenv("CRIU_CONFIG_FILE");
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/.criu", folder);
	if (mkdir(path, 0700) < 0)
		return 1;
	setenv("HOME", folder, 1);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command) ? 1 : failed;
}
