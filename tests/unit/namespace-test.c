/* SPDX-License-Identifier: GPL-2.0-only */
/* Namespaces without a kernel: kinds by their names, ids through the maps of a user namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/fail.h"
#include "kern/namespaces.h"
#include "object/namespace/namespace.h"
#include "session/ids.h"

static void test_kinds(void **state)
{
	static const char *const names[] = { "pid", "mnt", "net", "ipc", "uts", "time", "cgroup", "user" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct namespace_kind *kind = namespace_kind_find(namespace_flag(names[i]));

		assert_non_null(kind);
		assert_string_equal(kind->name, names[i]);
		assert_string_equal(namespace_name(kind->flag), names[i]);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(kind->flag, namespace_kind_find(namespace_flag(names[j]))->flag);
	}
	assert_null(namespace_kind_find(namespace_flag("")));
	assert_null(namespace_kind_find(namespace_flag("ne")));
	assert_null(namespace_kind_find(namespace_flag("nets")));
	assert_null(namespace_kind_find(namespace_flag("pid_for_children")));
}

static void test_no_maps(void **state)
{
	struct facts facts = { 0 };
	const struct dump d = { .facts = &facts };
	const struct restore r = { .facts = &facts };

	assert_int_equal(dump_inner_uid(&d, 1000), 1000);
	assert_int_equal(restore_outer_gid(&r, NO_ID), NO_ID);
	assert_int_equal(restore_outer_uid(&r, 0), 0);
}

/* Extents that touch each other, one id, the last id there is. */
static void test_maps(void **state)
{
	static const struct id_extent users[] = { { 0, 100000, 1000 }, { 1000, 5, 1 }, { 0xfffffffe, 101000, 1 } },
				      groups[] = { { 10, 0, 4294967285u } };
	const struct id_maps maps = { .users = { users, 3 }, .groups = { groups, 1 } };
	struct facts facts = { .ids = &maps };
	const struct dump d = { .facts = &facts };
	const struct restore r = { .facts = &facts };

	assert_int_equal(dump_inner_uid(&d, 100000), 0);
	assert_int_equal(dump_inner_uid(&d, 100999), 999);
	assert_int_equal(dump_inner_uid(&d, 101000), 0xfffffffe);
	assert_int_equal(dump_inner_uid(&d, 99999), NO_ID);
	assert_int_equal(dump_inner_uid(&d, 5), 1000);
	assert_int_equal(dump_inner_uid(&d, 0), NO_ID);
	assert_int_equal(dump_inner_uid(&d, NO_ID), NO_ID);
	assert_int_equal(restore_outer_uid(&r, 1000), 5);
	assert_int_equal(restore_outer_uid(&r, 1001), NO_ID);
	assert_int_equal(restore_outer_uid(&r, 0xfffffffe), 101000);
	assert_int_equal(restore_outer_uid(&r, NO_ID), NO_ID);
	assert_int_equal(restore_outer_gid(&r, 9), NO_ID);
	assert_int_equal(restore_outer_gid(&r, 10), 0);
	assert_int_equal(restore_outer_gid(&r, 0xfffffffe), 0xfffffff4);
	assert_int_equal(restore_task_uid(&r), 0);
	assert_int_equal(restore_task_gid(&r), 10); /* no root in there: the first one */
}

static void test_empty_maps(void **state)
{
	const struct id_maps maps = { 0 };
	struct facts facts = { .ids = &maps };
	const struct dump d = { .facts = &facts };
	const struct restore r = { .facts = &facts };

	assert_int_equal(dump_inner_uid(&d, 0), NO_ID);
	assert_int_equal(restore_outer_gid(&r, 0), NO_ID);
	assert_int_equal(restore_task_uid(&r), OVERFLOW_ID);
	assert_int_equal(restore_maker_uid(&r), geteuid());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_no_maps),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_empty_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
