/* SPDX-License-Identifier: GPL-2.0-only */
/* PID namespaces. There is nothing in them but the numbers of the tasks: session/pids.h, task/pid-space.h,
 * flow/number.c. Those within that of the tree begin with their first processes (flow/restore/birth.c). */
#pragma once

struct plan;
struct restore;
struct task;
struct thread;

/* The task is there: maybe a new namespace with it. */
int pid_space_arrive(struct restore *r, const struct task *task);
/* Steps of a thread: where the program had its children born. */
int pid_space_plan_children(struct restore *r, struct thread *thread, struct plan *plan);
void pid_spaces_close(struct restore *r);
