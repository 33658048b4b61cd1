/* SPDX-License-Identifier: GPL-2.0-only */
/* criu inspect: what a task is, besides its memory and files. */
#pragma once

struct restore;
struct task;

int task_restore_inspect(const struct restore *r, struct task *task);
