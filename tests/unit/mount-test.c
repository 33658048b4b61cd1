/* SPDX-License-Identifier: GPL-2.0-only */
/* Mounts without a kernel: the tree of a namespace, its order, peer groups that can be made, options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/fail.h"
#include "base/table.h"
#include "object/mount/mount-set.h"
#include "object/mount/fs/fs.h"
#include "object/mount/sharing.h"
#include "object/mount/tree.h"
#include "session/ids.h"
#include "session/session.h"

struct tree {
	struct pool *pool;
	struct mount_set set;
	struct mount_space *space;
};

static int begin(void **state)
{
	struct tree *tree = *state = xzalloc(sizeof(*tree));

	tree->pool = pool_create();
	tree->space = space_add(&tree->set, tree->pool, 9);
	return 0;
}

static int end(void **state)
{
	struct tree *tree = *state;

	mount_state.destroy(&tree->set);
	pool_destroy(&tree->pool);
	free(tree);
	return 0;
}

static struct mount *add(struct tree *tree, uint32_t id, uint32_t parent, const char *point, const char *root)
{
	MntEntry *entry = pool_new(tree->pool, MntEntry);
	struct mount *mount;

	mnt_entry__init(entry);
	entry->mnt_id = id;
	entry->parent_mnt_id = parent;
	entry->mountpoint = pool_string(tree->pool, point);
	entry->root = pool_string(tree->pool, root);
	entry->root_dev = 7;
	mount = mount_add(&tree->set, tree->space, tree->pool, entry);
	if (mount)
		mount->place = id;
	return mount;
}

static void test_paths(void **state)
{
	assert_string_equal(path_below("/a/b", "/"), "a/b");
	assert_string_equal(path_below("/a/b", "/a"), "b");
	assert_string_equal(path_below("/a", "/a"), "");
	assert_string_equal(path_below("/", "/"), "");
	assert_null(path_below("/ab", "/a"));
	assert_null(path_below("/a", "/a/b"));
}

/* A mount on /a would hide the place of one on /a/b that has the same parent; one upon another comes behind it. */
static void test_order(void **state)
{
	static const uint32_t wanted[] = { 1, 5, 3, 2, 4, 6 };
	struct tree *tree = *state;
	size_t n = 0;

	add(tree, 6, 4, "/a", "/");
	add(tree, 5, 1, "/a/long/way", "/");
	add(tree, 4, 1, "/a", "/");
	add(tree, 3, 1, "/a/b", "/");
	add(tree, 2, 3, "/a/b/c", "/");
	add(tree, 1, 77, "/", "/");
	assert_int_equal(space_link(&tree->set, tree->space, "test"), 0);
	for (struct mount *m = tree->space->root; m; m = mount_next(m))
		assert_int_equal(m->entry->mnt_id, wanted[n++]);
	assert_int_equal(n, 6);
	assert_string_equal(mount_relative_point(table_find(tree->set.by_id, 2)), "c");
	assert_string_equal(mount_relative_point(table_find(tree->set.by_id, 6)), "");
}

static void test_two_roots(void **state)
{
	struct tree *tree = *state;

	add(tree, 1, 77, "/", "/");
	add(tree, 2, 78, "/x", "/");
	assert_int_equal(space_link(&tree->set, tree->space, "test"), -EINVAL);
}

static void test_circle(void **state)
{
	struct tree *tree = *state;

	add(tree, 1, 77, "/", "/");
	add(tree, 2, 3, "/x", "/");
	add(tree, 3, 2, "/x", "/");
	assert_int_equal(space_link(&tree->set, tree->space, "test"), -EINVAL);
}

static void test_strange_place(void **state)
{
	struct tree *tree = *state;

	add(tree, 1, 77, "/", "/");
	add(tree, 2, 1, "/x", "/");
	add(tree, 3, 2, "/y", "/");
	assert_int_equal(space_link(&tree->set, tree->space, "test"), -EINVAL);
}

static void test_same_id(void **state)
{
	struct tree *tree = *state;

	assert_non_null(add(tree, 1, 77, "/", "/"));
	assert_null(add(tree, 1, 77, "/", "/"));
}

static void test_widest(void **state)
{
	struct tree *tree = *state;
	struct mount *narrow, *wide, *outside;

	add(tree, 1, 77, "/", "/")->entry->root_dev = 1;
	narrow = add(tree, 2, 1, "/x", "/part");
	wide = add(tree, 3, 1, "/y", "/");
	outside = add(tree, 4, 1, "/z", "/");
	outside->entry->ext_key = pool_string(tree->pool, "key");
	assert_int_equal(space_link(&tree->set, tree->space, "test"), 0);
	space_count_supers(&tree->set, tree->space, tree->pool);
	assert_ptr_equal(wide->super, narrow->super);
	/* Both show a part of what comes from outside. */
	assert_null(wide->super->widest);
	outside->entry->ext_key = NULL;
	space_count_supers(&tree->set, tree->space, tree->pool);
	assert_ptr_equal(wide->super->widest, wide);
}

static int check_groups(struct tree *tree)
{
	assert_int_equal(space_link(&tree->set, tree->space, "test"), 0);
	return sharing_check(&tree->set, tree->pool);
}

static void test_groups(void **state)
{
	struct tree *tree = *state;

	add(tree, 1, 77, "/", "/");
	add(tree, 2, 1, "/x", "/a")->entry->shared_id = 5;
	add(tree, 3, 1, "/y", "/")->entry->shared_id = 5;
	add(tree, 4, 1, "/z", "/b")->entry->master_id = 5;
	add(tree, 5, 1, "/w", "/b")->entry->master_id = 99; /* outside */
	assert_int_equal(check_groups(tree), 0);
}

static void test_group_of_parts(void **state)
{
	struct tree *tree = *state;

	add(tree, 1, 77, "/", "/");
	add(tree, 2, 1, "/x", "/a")->entry->shared_id = 5;
	add(tree, 3, 1, "/y", "/b")->entry->shared_id = 5;
	assert_int_equal(check_groups(tree), -EOPNOTSUPP);
}

static void test_masters_in_circle(void **state)
{
	struct tree *tree = *state;
	struct mount *one = add(tree, 1, 77, "/", "/"), *two = add(tree, 2, 1, "/x", "/");

	one->entry->shared_id = two->entry->master_id = 5;
	two->entry->shared_id = one->entry->master_id = 6;
	assert_int_equal(check_groups(tree), -EINVAL);
}

/* What the kernel shows are our ids, what is written are those of the tree. */
static void test_owner_options(void **state)
{
	const struct id_extent map[] = { { 0, 100000, 1000 }, { 1000, 5000, 10 } };
	const struct id_maps ids = { .users = { map, 2 }, .groups = { map, 2 } };
	struct facts facts = { .ids = &ids };
	struct dump d = { .pool = ((struct tree *)*state)->pool, .facts = &facts };

	assert_string_equal(fs_options(&d, fs_find("tmpfs"), "rw,size=4k,uid=100033,gid=5009"),
			    "size=4k,uid=33,gid=1009");
	assert_string_equal(fs_options(&d, fs_find("tmpfs"), "rw,uid=0,gid=5010,mode=755"), "mode=755");
}

static void test_options(void **state)
{
	struct pool *pool = ((struct tree *)*state)->pool;
	struct facts facts = { 0 };
	struct dump d = { .pool = pool, .facts = &facts };

	assert_string_equal(fs_options(&d, fs_find("tmpfs"), "rw,size=65536k,mode=755"), "size=65536k,mode=755");
	assert_string_equal(fs_options(&d, fs_find("tmpfs"), "ro"), "");
	assert_string_equal(fs_options(&d, fs_find("devpts"), "rw,gid=5,mode=620,ptmxmode=666"),
			    "gid=5,mode=620,ptmxmode=666,newinstance");
	assert_string_equal(fs_options(&d, NULL, "rw,seclabel,data=ordered"), "data=ordered");
	assert_string_equal(fs_with_context(pool, "mode=755,context=\"a:b:c:s0:c1,c2\",size=1k", "x:y:z"),
			    "mode=755,context=x:y:z,size=1k");
	assert_string_equal(fs_with_context(pool, "mode=755", "x:y:z"), "mode=755");
	assert_int_equal(fs_find_recorded(&(MntEntry){ .fstype = FSTYPE__CGROUP2 })->type, FSTYPE__CGROUP2);
	assert_null(fs_find("ext4"));
	assert_string_equal(fs_find_recorded(&(MntEntry){ .fstype = FSTYPE__AUTO, .fsname = "ramfs" })->name, "ramfs");
	assert_null(fs_find_recorded(&(MntEntry){ .fstype = FSTYPE__UNSUPPORTED }));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_paths),	   TEST(test_order),
		TEST(test_two_roots),	   TEST(test_circle),
		TEST(test_strange_place),  TEST(test_same_id),
		TEST(test_widest),	   TEST(test_groups),
		TEST(test_group_of_parts), TEST(test_masters_in_circle),
		TEST(test_options),	   TEST(test_owner_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
