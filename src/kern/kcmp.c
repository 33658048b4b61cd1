/* SPDX-License-Identifier: LGPL-2.1-only */
/* Sharing of kernel objects. The order of kcmp(2) is that of scrambled addresses, so the trees need no balancing. */
#include "kern/kcmp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/pool.h"
#include "base/table.h"

struct node {
	struct node *child[2]; /* lesser, greater */
	pid_t pid;
	unsigned long idx;
	uint32_t id;
};

struct kcmp_tree {
	enum kcmp_type type;
	uint32_t last_id;
	struct table *roots; /* by hint */
	struct pool *pool;
};

static const char *const type_names[] = {
	[KCMP_FILE] = "open file",
	[KCMP_VM] = "memory",
	[KCMP_FILES] = "table of descriptors",
	[KCMP_FS] = "root and cwd",
	[KCMP_SIGHAND] = "signal handlers",
	[KCMP_IO] = "I/O context",
	[KCMP_SYSVSEM] = "semaphore undo list",
};

struct kcmp_tree *kcmp_tree_create(enum kcmp_type type)
{
	struct kcmp_tree *tree = xzalloc(sizeof(*tree));

	tree->type = type;
	tree->roots = table_create();
	tree->pool = pool_create();
	return tree;
}

void kcmp_tree_destroy(struct kcmp_tree **tree)
{
	if (!*tree)
		return;
	table_destroy(&(*tree)->roots);
	pool_destroy(&(*tree)->pool);
	free(*tree);
	*tree = NULL;
}

int kcmp_compare(enum kcmp_type type, pid_t pid1, unsigned long idx1, pid_t pid2, unsigned long idx2)
{
	long order = syscall(SYS_kcmp, pid1, pid2, type, idx1, idx2);

	if (order < 0)
		return -errno;
	return order <= 2 ? (int)order : -EOPNOTSUPP; /* 3: different, but not ordered; no kernel says so yet */
}

int kcmp_epoll_target(pid_t pid, int fd, pid_t epoll_pid, int epfd, int tfd, unsigned toff)
{
	struct kcmp_epoll_slot slot = { .efd = (uint32_t)epfd, .tfd = (uint32_t)tfd, .toff = toff };
	long order = syscall(SYS_kcmp, pid, epoll_pid, KCMP_EPOLL_TFD, fd, &slot);

	return order < 0 ? -errno : order == 0;
}

static int fail_compare(const struct kcmp_tree *tree, int error, const struct node *node, pid_t pid, unsigned long idx)
{
	if (error == ENOSYS)
		return refuse(error, "this kernel lacks kcmp(2): build it with CONFIG_KCMP");
	return fail(error, "cannot compare the %s of task %d (%lu) with that of task %d (%lu)", type_names[tree->type],
		    pid, idx, node->pid, node->idx);
}

static struct node *create_node(struct kcmp_tree *tree, pid_t pid, unsigned long idx)
{
	struct node *node = pool_new(tree->pool, struct node);

	node->pid = pid;
	node->idx = idx;
	node->id = ++tree->last_id;
	return node;
}

int kcmp_id(struct kcmp_tree *tree, pid_t pid, unsigned long idx, uint64_t hint, uint32_t *ret_id, bool *ret_is_new)
{
	struct node *node = table_find(tree->roots, hint), *added;

	if (!node) {
		added = create_node(tree, pid, idx);
		table_set(tree->roots, hint, added);
	}
	while (node) {
		int order = kcmp_compare(tree->type, pid, idx, node->pid, node->idx);

		if (order == -EBADF && kcmp_compare(tree->type, pid, idx, pid, idx) == -EBADF)
			return -EBADF;
		if (order == -EBADF)
			order = 1; /* the node's descriptor was closed: any order will do */
		if (order < 0)
			return fail_compare(tree, -order, node, pid, idx);
		if (order == 0) {
			*ret_id = node->id;
			*ret_is_new = false;
			return 0;
		}
		if (!node->child[order - 1]) {
			added = node->child[order - 1] = create_node(tree, pid, idx);
			break;
		}
		node = node->child[order - 1];
	}
	*ret_id = added->id;
	*ret_is_new = true;
	return 0;
}
