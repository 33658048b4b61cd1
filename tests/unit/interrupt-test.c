/* SPDX-License-Identifier: GPL-2.0-only */
/* Signals that end the program: noted, told of once, and not lost where one part follows another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>

#include "base/interrupt.h"

static void test_told_once(void **state)
{
	interrupt_catch("all");
	assert_int_equal(interrupt_check(), 0);
	raise(SIGTERM);
	assert_int_equal(interrupt_check(), -EINTR);
	assert_int_equal(interrupt_check(), -EINTR);
	assert_int_equal(interrupt_release(), 0);
}

/* A migration catches signals, and so does the dump that is a part of it. */
static void test_within(void **state)
{
	interrupt_catch("all");
	raise(SIGTERM);
	interrupt_catch("a part");
	assert_true(interrupt_fd() >= 0);
	assert_int_equal(interrupt_check(), -EINTR);
	assert_int_equal(interrupt_release(), 0);
}

/* What comes when a part can no longer be interrupted counts for the next one. */
static void test_between(void **state)
{
	interrupt_catch("first");
	assert_int_equal(interrupt_check_last(), 0);
	raise(SIGINT);
	assert_int_equal(interrupt_check(), 0);
	interrupt_catch("second");
	assert_int_equal(interrupt_check(), -EINTR);
	/* The same process serves one who asks again. */
	interrupt_catch("third");
	assert_int_equal(interrupt_check(), 0);
	assert_int_equal(interrupt_release(), 0);
}

static void test_too_late(void **state)
{
	interrupt_catch("all");
	assert_int_equal(interrupt_check_last(), 0);
	raise(SIGHUP);
	assert_int_equal(interrupt_release(), SIGHUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told_once),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_between),
		cmocka_unit_test(test_too_late),
	};

	/* nohup(1), or a job in the background */
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
