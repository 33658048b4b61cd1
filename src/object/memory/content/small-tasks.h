/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pages of tasks that have few of them. One such task is too little to be shared out, but trees of many processes
 * have hundreds: they are put off, and all CPUs take them task by task.
 */
#pragma once

#include <stdbool.h>

struct dump;
struct small_tasks;
struct task;

/* Whether its pages can be put off. */
bool small_task_is(struct dump *d, const struct task *task);
/* Its pages are saved sooner or later. */
int small_task_add(struct dump *d, struct task *task);
/* Those of all that were put off are saved now. */
int small_tasks_save(struct dump *d);
/* Forgets those that were put off. Accepts NULL. */
void small_tasks_destroy(struct small_tasks **small);
