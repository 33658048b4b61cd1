/* SPDX-License-Identifier: GPL-2.0-only */
/* Which mappings a new task keeps of those that it got from its creator by fork. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct memory_mapping;
struct memory_restore;
struct plan;
struct restore;
struct task;

/* The memory that it is born with; NULL for the root. */
struct memory_restore *memory_of_creator(const struct task *task);
/* Can a child keep the mapping that it got by fork? It may have another end, if it is longer or shorter there. */
bool memory_mappings_same(const struct memory_mapping *own, const struct memory_mapping *from);
/* When it is known which mappings have pages: those between them that were used, too. */
void memory_find_used(struct memory_restore *memory);
/* With which protection it is made. */
uint32_t memory_first_prot(const struct memory_mapping *mapping);
/* Marks the mappings that the task keeps; steps that unmap all others that came, and give those their ends. */
void memory_plan_inherit(struct restore *r, struct task *task, struct plan *plan);
