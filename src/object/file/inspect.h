/* SPDX-License-Identifier: GPL-2.0-only */
/* criu inspect: the files of a task. */
#pragma once

struct restore;
struct task;

int file_restore_inspect(const struct restore *r, struct task *task);
