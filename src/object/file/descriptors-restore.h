/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptor tables of tasks, restore. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct descriptor_table;
struct file;
struct plan;
struct restore;
struct task;

/* Appends the steps that put all descriptors of a task's table in place, coordinator_fd is the pidfd for STEP_GETFD.
 * Creates files. */
int file_plan_table(struct restore *r, struct task *task, struct plan *p);
/* After the plan of file_plan_table ran: gives the descriptors back. */
void file_table_done(struct restore *r, struct task *task);
int file_plan_late(struct restore *r, struct task *task,
		   struct plan *p); /* kind->plan of all files owned by the task; terminals, locks */
/* Chooses the numbers of the pidfds of the coordinator: r->us, task->restore->coordinator_fd. */
int file_restore_choose_numbers(struct restore *r);

/* Restore, at link: the pidfd of the coordinator gets another number. */
void file_reserve_number(const struct restore *r, const struct task *task, uint32_t number);
bool file_cloexec_at(struct restore *r, const struct task *task, uint32_t number);

int file_load_tables(const struct restore *r);
struct descriptor_table *file_table_of(const struct restore *r, const struct task *task);
