/* SPDX-License-Identifier: LGPL-2.1-only */
/* Words that tell others of our death. */
#include "lib/compel/life.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel has one list for each thread, so this can only be a variable of the thread. */
static _Thread_local struct {
	struct robust_list_head ours, *old;
	size_t old_size;
} held;

static struct robust_list *node_of(char *end)
{
	return (struct robust_list *)end;
}

static int begin_list(void)
{
	if (syscall(__NR_get_robust_list, 0, &held.old, &held.old_size) < 0)
		return -errno;
	held.ours = (struct robust_list_head){ .list.next = &held.ours.list, .futex_offset = -LIFE_SIZE };
	return syscall(__NR_set_robust_list, &held.ours, sizeof(held.ours)) < 0 ? -errno : 0;
}

int life_hold(char *end)
{
	uint32_t *word = (uint32_t *)(end - LIFE_SIZE);

	if (held.ours.list.next == &held.ours.list || !held.ours.list.next) {
		int error = begin_list();

		if (error < 0)
			return error;
	}
	__atomic_store_n(word, (uint32_t)syscall(__NR_gettid), __ATOMIC_SEQ_CST);
	node_of(end)->next = held.ours.list.next;
	__atomic_store_n(&held.ours.list.next, node_of(end), __ATOMIC_SEQ_CST);
	return 0;
}

void life_release(char *end)
{
	struct robust_list *at = &held.ours.list;

	while (at->next != node_of(end)) {
		at = at->next;
		if (!at || at == &held.ours.list)
			return;
	}
	__atomic_store_n(&at->next, node_of(end)->next, __ATOMIC_SEQ_CST);
	if (held.ours.list.next == &held.ours.list)
		syscall(__NR_set_robust_list, held.old, held.old_size);
}
