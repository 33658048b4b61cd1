/* SPDX-License-Identifier: GPL-2.0-only */
/* Text to numbers, fields and lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/text.h"

static void test_numbers(void **state)
{
	uint64_t u64 = 7;
	uint32_t u32 = 7;
	int i = 7;

	assert_int_equal(text_to_u64("18446744073709551615", 10, &u64), 0);
	assert_true(u64 == UINT64_MAX);
	assert_int_equal(text_to_u64("18446744073709551616", 10, &u64), -ERANGE);
	assert_int_equal(text_to_u64("ffffffffff600000", 16, &u64), 0);
	assert_true(u64 == 0xffffffffff600000u);
	assert_int_equal(text_to_u64("0100002", 8, &u64), 0);
	assert_int_equal(u64, 0100002);
	assert_int_equal(text_to_u64("", 10, &u64), -EINVAL);
	assert_int_equal(text_to_u64("-1", 10, &u64), -EINVAL);
	assert_int_equal(text_to_u64(" 1", 10, &u64), -EINVAL);
	assert_int_equal(text_to_u64("1x", 10, &u64), -EINVAL);
	assert_int_equal(text_to_u64("x", 10, &u64), -EINVAL);
	assert_int_equal(u64, 0100002);

	assert_int_equal(text_to_u32("4294967295", 10, &u32), 0);
	assert_true(u32 == UINT32_MAX);
	assert_int_equal(text_to_u32("4294967296", 10, &u32), -ERANGE);

	assert_int_equal(text_to_int("-2147483648", &i), 0);
	assert_int_equal(i, INT_MIN);
	assert_int_equal(text_to_int("2147483648", &i), -ERANGE);
	assert_int_equal(text_to_int("99999999999999999999", &i), -ERANGE);
	assert_int_equal(text_to_int("-", &i), -EINVAL);
	assert_int_equal(text_to_int("+1", &i), -EINVAL);
	assert_int_equal(text_to_int("", &i), -EINVAL);
	assert_int_equal(text_to_int("1 ", &i), -EINVAL);
}

static void test_sizes(void **state)
{
	uint64_t size = 0;

	assert_int_equal(text_to_size("4096", &size), 0);
	assert_int_equal(size, 4096);
	assert_int_equal(text_to_size("3K", &size), 0);
	assert_int_equal(size, 3072);
	assert_int_equal(text_to_size("1m", &size), 0);
	assert_int_equal(size, 1 << 20);
	assert_int_equal(text_to_size("2G", &size), 0);
	assert_true(size == 2ull << 30);
	assert_int_equal(text_to_size("1X", &size), -EINVAL);
	assert_int_equal(text_to_size("1MB", &size), -EINVAL);
	assert_int_equal(text_to_size("M", &size), -EINVAL);
	assert_int_equal(text_to_size("99999999999G", &size), -ERANGE);
}

static void test_prefixes(void **state)
{
	assert_true(text_starts("eventfd-count: 1", "eventfd"));
	assert_false(text_starts("ev", "eventfd"));
	assert_true(text_ends("/tmp/x (deleted)", " (deleted)"));
	assert_false(text_ends("d)", " (deleted)"));
	assert_string_equal(text_after("pipe:[42]", "pipe:"), "[42]");
	assert_null(text_after("sock:[42]", "pipe:"));
}

static void test_cutting(void **state)
{
	char text[] = "a b\n\n\tlast  field ", *cursor = text, *line;

	line = text_line(&cursor);
	assert_string_equal(line, "a b");
	assert_string_equal(text_field(&line), "a");
	assert_string_equal(text_field(&line), "b");
	assert_null(text_field(&line));
	assert_null(text_field(&line));
	assert_string_equal(text_line(&cursor), "");
	line = text_line(&cursor);
	assert_string_equal(text_field(&line), "last");
	assert_string_equal(text_field(&line), "field");
	assert_null(text_field(&line));
	assert_null(text_line(&cursor));
}

static void check_utf8(const char *text, const char *wanted)
{
	char copy[64];

	strcpy(copy, text);
	text_make_utf8(copy);
	assert_string_equal(copy, wanted);
}

static void test_utf8(void **state)
{
	check_utf8("plain", "plain");
	check_utf8("\u00e4\u20ac\U0001f600\U0010ffff", "\u00e4\u20ac\U0001f600\U0010ffff");
	check_utf8("a\xff\xfe z", "a?? z");
	check_utf8("\x80\xc0\xaf\xc1\xbf", "?????"); /* no beginning, too long */
	check_utf8("\xe0\x80\xaf", "???");	     /* too long */
	check_utf8("\xed\xa0\x80", "???");	     /* half of a pair */
	check_utf8("\xf4\x90\x80\x80\xf5", "?????"); /* beyond the end */
	check_utf8("\xc3(", "?(");
	check_utf8("cut \xe2\x82", "cut ");
}

static void test_controls(void **state)
{
	char text[] = "a\nError (x): \033[31m\tb\x7f\n";

	text_mask_controls(text, strlen(text));
	assert_string_equal(text, "a?Error (x): ?[31m\tb?\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_sizes), cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_cutting), cmocka_unit_test(test_utf8),  cmocka_unit_test(test_controls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
