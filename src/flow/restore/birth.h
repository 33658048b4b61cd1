/* SPDX-License-Identifier: GPL-2.0-only */
/* Steps by which a task makes a child or a thread, with its numbers in all pid namespaces of the tree. */
#pragma once

#include "session/session.h"

struct plan;

/* Its place in the arena. parent: as restorer_add(). */
int birth_prepare(struct restore *r, struct thread *thread, pid_t parent);
/* The pid namespace that it is born into is there, or begins with it. */
bool birth_is_possible(const struct task *task);
/* CLONE_* flags and the signal at its end. */
uint64_t birth_flags(const struct task *task);
int birth_signal(const struct task *task);
/* It makes its pid namespace. */
bool birth_begins_space(const struct task *task);
/* For its creator. levels: in how many pid namespaces, from its own outwards, it gets its number; -1: in all. */
int birth_plan(struct restore *r, const struct task *task, int levels, struct plan *plan, size_t *ret_result);
/* The root task is there, and nobody else: its namespaces get their content, beside what action scripts put there. */
int birth_fill_namespaces(struct restore *r);
