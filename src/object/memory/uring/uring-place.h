/* SPDX-License-Identifier: GPL-2.0-only */
/* The memory of an io_uring at its place. */
#pragma once

#include <stdbool.h>

struct memory_mapping;
struct memory_restore;
struct plan;
struct restore;
struct task;

/* First steps of the rest of the memory of a task: the rings at their places. */
int uring_plan_mappings(struct restore *r, struct task *task, const struct memory_restore *memory, struct plan *plan);
bool uring_is_mapping(const struct memory_mapping *mapping);
