// SPDX-License-Identifier: GPL-2.0-only
/* Collecting failures: what is kept, counted, passed on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/fail.h"
#include "base/findings.h"
#include "base/log.h"

static int refuse_number(int n)
{
	LOG_SCOPE("object %d", n);
	return refuse(EBUSY, "number %d is busy", n);
}

static void test_all_are_kept(void **state)
{
	struct findings findings = { .quiet = true };

	findings_begin(&findings);
	assert_int_equal(refuse_number(1), -EBUSY);
	assert_true(failure_was_refusal());
	assert_int_equal(fail(EIO, "the disk"), -EIO);
	assert_false(failure_was_refusal());
	findings_end(&findings);
	refuse_number(3);

	assert_int_equal(findings_count(&findings), 2);
	assert_string_equal(findings.list.items[0].scopes, "object 1");
	assert_string_equal(findings.list.items[0].text, "number 1 is busy");
	assert_true(findings.list.items[0].refused);
	assert_int_equal(findings.list.items[0].error, EBUSY);
	assert_string_equal(findings.list.items[1].scopes, "");
	assert_string_equal(findings.list.items[1].text, "the disk: Input/output error");
	assert_false(findings.list.items[1].refused);
	findings_done(&findings);
}

static void test_many_of_a_kind(void **state)
{
	struct findings findings = { .quiet = true };

	findings_begin(&findings);
	for (int i = 0; i < 100; i++)
		refuse_number(i);
	refuse(EPERM, "something else");
	findings_end(&findings);
	assert_int_equal(findings.list.n, FINDINGS_ALIKE + 1);
	assert_int_equal(findings.list.items[FINDINGS_ALIKE - 1].more, 100 - FINDINGS_ALIKE);
	assert_int_equal(findings.list.items[0].more, 0);
	assert_int_equal(findings_count(&findings), 101);
	findings_done(&findings);
}

static void test_the_same_twice(void **state)
{
	struct findings findings = { .quiet = true, .alike = 2 };

	findings_begin(&findings);
	for (int i = 0; i < 10; i++)
		refuse_number(i / 9);
	findings_end(&findings);
	assert_int_equal(findings_count(&findings), 2);
	findings_done(&findings);
}

static void test_nesting(void **state)
{
	struct findings outer = { .quiet = true }, inner = { .quiet = true };

	findings_begin(&outer);
	findings_begin(&inner);
	refuse_number(1);
	findings_end(&inner);
	refuse_number(2);
	findings_end(&outer);
	assert_string_equal(inner.list.items[0].text, "number 1 is busy");
	assert_string_equal(outer.list.items[0].text, "number 2 is busy");
	assert_int_equal(outer.list.n + inner.list.n, 2);
	findings_done(&inner);
	findings_done(&outer);
}

static void test_warnings(void **state)
{
	struct findings quiet = { .quiet = true }, loud = { 0 };

	findings_begin(&quiet);
	for (int i = 0; i < 2; i++) {
		LOG_SCOPE("object 7");
		log_warn("it loses %d hairs\n", 5);
	}
	findings_end(&quiet);
	findings_begin(&loud);
	log_warn("aside");
	findings_end(&loud);
	assert_int_equal(quiet.warnings.n, 1);
	assert_int_equal(quiet.list.n, 0);
	assert_string_equal(quiet.warnings.items[0].scopes, "object 7");
	assert_string_equal(quiet.warnings.items[0].text, "it loses 5 hairs");
	assert_int_equal(loud.warnings.n, 0);
	findings_done(&quiet);
	findings_done(&loud);
}

/* The record of the run is the first failure all the same. */
static void test_the_first_cause(void **state)
{
	struct findings findings = { .quiet = true };

	failure_reset();
	findings_begin(&findings);
	refuse_number(4);
	refuse_number(5);
	findings_end(&findings);
	findings_done(&findings);
	assert_int_equal(failure_error(), EBUSY);
	assert_string_equal(failure_text(), "object 4: number 4 is busy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_are_kept),	cmocka_unit_test(test_many_of_a_kind),
		cmocka_unit_test(test_the_same_twice),	cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_the_first_cause), cmocka_unit_test(test_warnings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
