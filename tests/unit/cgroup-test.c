/* SPDX-License-Identifier: GPL-2.0-only */
/* Cgroups without a kernel: lists of controllers, paths, the text of --cgroup-props. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/cgroup/hierarchy.h"
#include "object/cgroup/properties.h"
#include "object/cgroup/rules.h"
#include "object/cgroup/tree.h"

struct pair {
	const char *left, *right;
	bool wanted;
};

static void check_pairs(bool (*function)(const char *left, const char *right), const struct pair *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		print_message("\"%s\" and \"%s\"\n", pairs[i].left, pairs[i].right);
		assert_int_equal(function(pairs[i].left, pairs[i].right), pairs[i].wanted);
	}
}

static void test_have(void **state)
{
	static const struct pair pairs[] = {
		{ "cpu,cpuacct", "cpu", true },
		{ "cpu,cpuacct", "cpuacct", true },
		{ "cpuacct", "cpu", false },
		{ "cpu", "cpuacct", false },
		{ "name=cpu", "cpu", false },
		{ "name=systemd", "name=systemd", true },
		{ "", "", true }, /* cgroup2 has none */
		{ "cpu", "", false },
		{ "", "cpu", false },
		{ ",,cpu,", "cpu", true },
	};

	check_pairs(controllers_have, pairs, ARRAY_SIZE(pairs));
}

static void test_share(void **state)
{
	static const struct pair pairs[] = {
		{ "cpu,cpuacct", "memory,cpuacct", true },
		{ "cpu,cpuacct", "cpuset", false },
		{ "", "", true },
		{ "", "cpu", false },
		{ "cpu", "", false },
		{ ",", ",", false }, /* no words, none shared */
	};

	check_pairs(controllers_share, pairs, ARRAY_SIZE(pairs));
}

static void test_below(void **state)
{
	static const struct pair pairs[] = {
		{ "/a/b", "/a", true }, { "/a", "/a", true },	 { "/", "/", true },   { "/anything", "/", true },
		{ "/ab", "/a", false }, { "/a", "/a/b", false }, { "/", "/a", false },
	};

	check_pairs(cgroup_is_below, pairs, ARRAY_SIZE(pairs));
}

#define MERGE	"\n - \"strategy\": \"merge\"\n - \"properties\": "
#define REPLACE "\n - \"strategy\": \"replace\"\n - \"properties\": "

static int parse(const char *text, struct property_rules *rules, struct pool *pool)
{
	int error;

	failure_reset();
	error = property_rules_parse(text, "--cgroup-props", pool, rules);
	if (error < 0)
		assert_true(failure_was_refusal());
	return error;
}

static void test_rules(void **state)
{
	struct pool *pool = pool_create();
	struct property_rules rules = { 0 };

	assert_int_equal(parse("\"cpu\":" REPLACE "[\"cpu.shares\", \"cpu.max\"]\n"
			       "\"memory\":" MERGE "[]\n\"\t\" : - \"strategy\":\"merge\"-\"properties\":[\"x\"]",
			       &rules, pool),
			 0);
	assert_int_equal(rules.n, 3);
	assert_string_equal(rules.items[0].controller, "cpu");
	assert_true(rules.items[0].replace);
	assert_int_equal(rules.items[0].names.n, 2);
	assert_string_equal(rules.items[0].names.items[1], "cpu.max");
	assert_string_equal(rules.items[1].controller, "memory");
	assert_false(rules.items[1].replace);
	assert_int_equal(rules.items[1].names.n, 0);
	assert_int_equal(rules.items[2].names.n, 1);
	property_rules_done(&rules);
	rules = (struct property_rules){ 0 };
	assert_int_equal(parse(" \n\t\r", &rules, pool), 0);
	assert_int_equal(rules.n, 0);
	property_rules_done(&rules);
	pool_destroy(&pool);
}

/* Each is refused, and what was read before it can be freed. */
static void test_bad_rules(void **state)
{
	static const char *const bad[] = {
		"cpu",
		"\"cpu",
		"\"\":",
		"\"cpu\"",
		"\"cpu\":",
		"\"cpu\": \"strategy\"",
		"\"cpu\": - \"strategy\": \"add\"",
		"\"cpu\": - \"properties\": []",
		"\"cpu\":" MERGE,
		"\"cpu\":" MERGE "[",
		"\"cpu\":" MERGE "[\"a\"",
		"\"cpu\":" MERGE "[\"a\",]",
		"\"cpu\":" MERGE "[\"a\" \"b\"]",
		"\"cpu\":" MERGE "[\"../../etc/passwd\"]",
		"\"cpu\":" MERGE "[\"a\"]]",
		"\"cpu\":" MERGE "[\"a\"] \"memory\"",
	};
	struct pool *pool = pool_create();

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct property_rules rules = { 0 };

		assert_int_equal(parse(bad[i], &rules, pool), -EINVAL);
		property_rules_done(&rules);
	}
	pool_destroy(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_have),  cmocka_unit_test(test_share),	cmocka_unit_test(test_below),
		cmocka_unit_test(test_rules), cmocka_unit_test(test_bad_rules),
	};

	log_open("/dev/null"); /* all that is refused */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
