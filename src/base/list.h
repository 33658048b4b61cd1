/* SPDX-License-Identifier: LGPL-2.1-only */
/* Intrusive doubly linked list. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name)          \
	{                        \
		&(name), &(name) \
	}
#define list_entry(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_insert(struct list *entry, struct list *prev, struct list *next)
{
	entry->prev = prev;
	entry->next = next;
	prev->next = entry;
	next->prev = entry;
}

static inline void list_push(struct list *head, struct list *entry)
{
	list_insert(entry, head->prev, head);
}

static inline void list_push_front(struct list *head, struct list *entry)
{
	list_insert(entry, head, head->next);
}

static inline void list_remove(struct list *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
	list_init(entry);
}

#define list_first(head, type, member) list_entry((head)->next, type, member)

#define list_for_each(var, head, member)                                                         \
	for ((var) = list_entry((head)->next, typeof(*(var)), member); &(var)->member != (head); \
	     (var) = list_entry((var)->member.next, typeof(*(var)), member))

#define list_for_each_safe(var, tmp, head, member)                          \
	for ((var) = list_entry((head)->next, typeof(*(var)), member),      \
	    (tmp) = list_entry((var)->member.next, typeof(*(var)), member); \
	     &(var)->member != (head); (var) = (tmp), (tmp) = list_entry((tmp)->member.next, typeof(*(tmp)), member))
