/* SPDX-License-Identifier: GPL-2.0-only */
/* fdinfo as keys and values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kern/proc/fdinfo.h"
#include "kern/proc/locks.h"
#include "kern/proc/proc.h"
#include "golden.h"

static struct fdinfo info = { .dir = -1 };

static void parse_golden(const char *name)
{
	size_t size;
	char *text = read_golden(name, &size);

	fdinfo_parse(&info, text, size);
	free(text);
}

static void test_file(void **state)
{
	struct proc_lock lock;
	const char *value;
	uint64_t number;
	size_t at = 0;

	parse_golden("proc/fdinfo-file");
	assert_int_equal(fdinfo_get_u64(&info, "pos", 10, &number), 0);
	assert_int_equal(number, 4097);
	assert_int_equal(fdinfo_get_u64(&info, "flags", 8, &number), 0);
	assert_int_equal(number, 02100002);
	assert_int_equal(fdinfo_get_u64(&info, "ino", 10, &number), 0);
	assert_int_equal(number, 10953184);
	assert_int_equal(fdinfo_get_u64(&info, "tfd", 10, &number), -ENOENT);

	value = fdinfo_next(&info, "lock", &at);
	assert_int_equal(proc_lock_parse(value, &lock), 0);
	assert_int_equal(lock.kind, PROC_LOCK_FLOCK);
	value = fdinfo_next(&info, "lock", &at);
	assert_int_equal(proc_lock_parse(value, &lock), 0);
	assert_int_equal(lock.kind, PROC_LOCK_POSIX);
	assert_int_equal(lock.start, 5);
	assert_int_equal(lock.end, 14);
	assert_null(fdinfo_next(&info, "lock", &at));
}

static void test_epoll(void **state)
{
	const char *value;
	uint64_t number;
	size_t at = 0;

	parse_golden("proc/fdinfo-epoll");
	value = fdinfo_next(&info, "tfd", &at);
	assert_int_equal(strtoul(value, NULL, 10), 8);
	assert_int_equal(fdinfo_field_u64(value, "events", 16, &number), 0);
	assert_true(number == 0x8000001c);
	assert_int_equal(fdinfo_field_u64(value, "data", 16, &number), 0);
	assert_true(number == 0x7fa200000008);
	assert_int_equal(fdinfo_field_u64(value, "ino", 16, &number), 0);
	assert_int_equal(number, 0x14033);
	assert_int_equal(fdinfo_field_u64(value, "mask", 16, &number), -ENOENT);
	assert_non_null(fdinfo_next(&info, "tfd", &at));
	assert_null(fdinfo_next(&info, "tfd", &at));
}

static void test_inotify(void **state)
{
	const char *value;
	uint64_t number;
	size_t at = 0;

	parse_golden("proc/fdinfo-inotify");
	value = fdinfo_next(&info, "inotify", &at);
	assert_int_equal(fdinfo_field_u64(value, "wd", 16, &number), 0);
	assert_int_equal(number, 2);
	assert_int_equal(fdinfo_field_u64(value, "mask", 16, &number), 0); /* not that of ignored_mask */
	assert_int_equal(number, 0x100);
	assert_int_equal(fdinfo_field_u64(value, "ignored_mask", 16, &number), 0);
	assert_int_equal(number, 0);
	assert_string_equal(fdinfo_field(value, "f_handle"), "1cc5030000000000");
	assert_non_null(fdinfo_next(&info, "inotify", &at));
}

static void test_others(void **state)
{
	uint64_t number;

	parse_golden("proc/fdinfo-timerfd");
	assert_string_equal(fdinfo_get(&info, "settime flags"), "00");
	assert_string_equal(fdinfo_get(&info, "it_interval"), "(1, 5)");
	parse_golden("proc/fdinfo-eventfd");
	assert_int_equal(fdinfo_get_u64(&info, "eventfd-count", 16, &number), 0);
	assert_int_equal(number, 5);
	assert_null(fdinfo_get(&info, "it_interval"));
	parse_golden("proc/fdinfo-signalfd");
	assert_int_equal(fdinfo_get_u64(&info, "sigmask", 16, &number), 0);
	assert_true(number == 0x8000000000000200);
	parse_golden("proc/fdinfo-pidfd");
	assert_string_equal(fdinfo_get(&info, "Pid"), "28265");
}

static void test_signed(void **state)
{
	static const char text[] = "pos:\t-9223372036854775808\nPid:\t-1\nx:\t9223372036854775808\ny:\t-\nempty:\n";
	int64_t number = 0;

	fdinfo_parse(&info, text, sizeof(text) - 1);
	assert_int_equal(fdinfo_get_s64(&info, "pos", &number), 0);
	assert_true(number == INT64_MIN);
	assert_int_equal(fdinfo_get_s64(&info, "Pid", &number), 0);
	assert_true(number == -1);
	assert_int_equal(fdinfo_get_s64(&info, "x", &number), -EINVAL);
	assert_int_equal(fdinfo_get_s64(&info, "y", &number), -EINVAL);
	assert_string_equal(fdinfo_get(&info, "empty"), "");
}

static void test_own_descriptors(void **state)
{
	int proc = proc_open(getpid()), fd = eventfd(77, EFD_CLOEXEC);
	struct fdinfo own;
	uint64_t number;

	assert_int_equal(fdinfo_open(&own, proc), 0);
	assert_int_equal(fdinfo_read(&own, fd), 0);
	assert_int_equal(fdinfo_get_u64(&own, "eventfd-count", 16, &number), 0);
	assert_int_equal(number, 77);
	close(fd);
	assert_int_equal(fdinfo_read(&own, fd), -ENOENT);
	fdinfo_done(&own);
	close(proc);
}

static int done(void **state)
{
	fdinfo_done(&info);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),   cmocka_unit_test(test_epoll),  cmocka_unit_test(test_inotify),
		cmocka_unit_test(test_others), cmocka_unit_test(test_signed), cmocka_unit_test(test_own_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, done);
}
