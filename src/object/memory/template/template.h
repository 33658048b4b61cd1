/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that many copies of a checkpoint share (restore --copies). criu fills it once, into an interval of its own
 * address space that is free in all tasks. Every process that is forked from here has it copy-on-write, and a task
 * moves its mappings from there to their places by mremap(2).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/range.h"
#include "object/memory/memory.h"
#include "session/copy.h"

struct memory_template;

/* Of a checkpoint that was loaded, and of which no task exists. r->workers must be there. */
int memory_template_make(struct restore *r, struct memory_template **ret);
/* Unmaps it. Accepts NULL; for AUTO(). */
void memory_template_destroy(struct memory_template **template);
/* Whether the next process that is forked gets it. */
int memory_template_pass_on(const struct memory_template *template, bool yes);
static inline const struct memory_template *memory_template_of(const struct restore *r)
{
	return r->copy ? r->copy->template : NULL;
}

/* What it takes, 0 bytes if there is none (NULL as well). */
struct address_range memory_template_range(const struct memory_template *template);
/* Where the content of this mapping of the task is; 0: not in there. */
uint64_t memory_template_find(const struct memory_template *template, const struct task *task, const VmaEntry *vma);
