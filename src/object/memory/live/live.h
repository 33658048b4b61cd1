/* SPDX-License-Identifier: GPL-2.0-only */
/* dump --live: private memory stays as it was, in a copy-on-write copy of its task, and is saved when the task runs. */
#pragma once

struct dump;
struct task;

/*
 * Before anything stands still: what can be done now need not be done in the freeze. Of the tasks that are there by
 * now. Fails only if it is interrupted.
 */
int memory_live_prepare(struct dump *d);
/* --live: makes a copy of the task that keeps its memory: 1. 0, logged: it cannot have one, so its pages are to
 * be saved now. */
int memory_live_keep(struct dump *d, struct task *task);

void memory_live_end(struct dump *d); /* nothing of it is left in the tasks; at the end and on failure */
