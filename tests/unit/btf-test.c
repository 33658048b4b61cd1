// SPDX-License-Identifier: GPL-2.0-only
/* kern/btf.h and kern/peek.h: what the kernel tells of its structures, and what lies in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kern/btf-cache.h"
#include "kern/btf.h"
#include "kern/peek.h"

static void test_members(void **state)
{
	struct btf *btf = NULL;
	struct btf_place place, whole;
	uint32_t number;
	int64_t value;

	if (btf_open(&btf) < 0)
		skip();
	assert_int_equal(btf_find(btf, "list_head", "prev", &place), 0);
	assert_int_equal(place.offset, 8);
	assert_int_equal(place.size, 8);
	assert_int_equal(place.bits, 0);
	assert_int_equal(btf_find(btf, "list_head", "", &whole), 0);
	assert_int_equal(whole.size, 16);
	/* In an anonymous structure within it, and a bit field. */
	assert_int_equal(btf_find(btf, "io_uring_sqe", "user_data", &place), 0);
	assert_int_equal(place.offset, 32);
	assert_int_equal(btf_find(btf, "task_struct", "in_execve", &place), 0);
	assert_int_equal(place.bits, 1);
	assert_int_equal(btf_find(btf, "task_struct", "no_such_member", &place), -2);
	assert_int_equal(btf_find_constant(btf, "BPF_PROG_TYPE_SYSCALL", &value), 0);
	assert_int_equal(value, 31);
	assert_int_equal(btf_find_constant(btf, "NO_SUCH_CONSTANT", &value), -2);
	assert_int_equal(btf_find(btf, "no_such_struct", "", &place), -2);
	assert_int_equal(btf_find_function(btf, "bpf_iter_task", &number), 0);
	assert_true(number > 0);
	assert_int_equal(btf_find_function(btf, "no_such_function", &number), -2);
	assert_int_equal(btf_find_function(btf, "task_struct", &number), -2);
	btf_close(&btf);
	assert_null(btf);
}

/* Numbers and names of a module go on where those of the kernel end; one that is none changes nothing. */
static void test_module(void **state)
{
	const struct {
		const char *name, *type, *member;
	} modules[] = { { "fuse", "fuse_dev", "fc" },
			{ "overlay", "ovl_fs", "workdir" },
			{ "ext4", "ext4_sb_info", "s_sb" } };
	struct btf_place place, alone;
	struct btf *btf;

	for (size_t i = 0; i < sizeof(modules) / sizeof(*modules); i++) {
		char path[64];

		if (btf_open(&btf) < 0)
			skip();
		snprintf(path, sizeof(path), "/sys/kernel/btf/%s", modules[i].name);
		btf_add_module(btf, modules[i].name);
		if (access(path, F_OK) == 0) {
			assert_int_equal(btf_find(btf, modules[i].type, modules[i].member, &place), 0);
			assert_int_equal(place.size, sizeof(void *));
		}
		assert_int_equal(btf_find(btf, "list_head", "prev", &place), 0);
		assert_int_equal(btf_find(btf, "no_such_struct", "", &alone), -2);
		btf_close(&btf);
		assert_int_equal(place.offset, 8);
	}
}

static void test_peek(void **state)
{
	struct btf *btf = NULL;
	struct peek *peek = NULL;
	struct btf_place comm;
	char name[16] = "";

	if (btf_open(&btf) < 0 || peek_open(&peek) < 0) {
		btf_close(&btf);
		skip();
	}
	prctl(PR_SET_NAME, "peeked at");
	assert_int_equal(btf_find(btf, "task_struct", "comm", &comm), 0);
	assert_int_equal(comm.size, sizeof(name));
	assert_int_equal(peek_read(peek, peek_current(peek) + comm.offset, name, sizeof(name)), 0);
	assert_string_equal(name, "peeked at");
	assert_int_equal(peek_read(peek, 0, name, 1), -14);
	assert_int_equal(peek_read(peek, 8, name, 8), -14);
	assert_int_equal(peek_read(peek, (uintptr_t)name, name, 8), -14);
	peek_close(&peek);
	btf_close(&btf);
}

/* What was found is kept, but not for another kernel, and not from what others may write. */
static void test_cache(void **state)
{
	char folder[] = "/tmp/btf-test-XXXXXX", path[64];
	int64_t values[BTF_CACHE_VALUES] = { 0, 1, -2, INT64_MAX, 4 }, got[BTF_CACHE_VALUES];
	struct btf_cache *cache;

	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/cache", folder);
	cache = btf_cache_open(path, 77);
	assert_false(btf_cache_find(cache, "member a b", got));
	btf_cache_add(cache, "member a b", values);
	btf_cache_add(cache, "function c ", values);
	btf_cache_close(&cache);

	cache = btf_cache_open(path, 77);
	assert_true(btf_cache_find(cache, "member a b", got));
	assert_memory_equal(got, values, sizeof(values));
	assert_true(btf_cache_find(cache, "function c ", got));
	assert_false(btf_cache_find(cache, "member a ", got));
	btf_cache_close(&cache);

	cache = btf_cache_open(path, 78);
	assert_false(btf_cache_find(cache, "member a b", got));
	btf_cache_close(&cache);
	assert_int_equal(chmod(path, 0622), 0);
	cache = btf_cache_open(path, 77);
	assert_false(btf_cache_find(cache, "member a b", got));
	btf_cache_close(&cache);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_members), cmocka_unit_test(test_module),
					    cmocka_unit_test(test_cache), cmocka_unit_test(test_peek) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
