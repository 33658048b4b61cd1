/* SPDX-License-Identifier: GPL-2.0-only */
/* criu inspect: the memory of a task, and what it was started with. */
#pragma once

struct restore;
struct task;

int memory_restore_inspect(const struct restore *r, struct task *task);
