/* SPDX-License-Identifier: GPL-2.0-only */
/* criu inspect: the namespaces of a task, and with the root task all namespaces of the tree. */
#pragma once

struct restore;
struct task;

int namespaces_restore_inspect(const struct restore *r, struct task *task);
