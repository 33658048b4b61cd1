/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore: both ends of a pipe or of a pair of sockets, made by the task that has them. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "object/file/file.h"

struct plan;
struct restore;
struct task;

/* Who makes files, in this restore: the same for all tasks. */
struct file_maker {
	bool is_us; /* tasks have the ids of criu until they are complete */
	uid_t uid;
	gid_t gid;
};

void file_maker_ask(const struct restore *r, struct file_maker *ret);
/* 1: a step of the plan makes the file and its twin, and puts both in place. 0: they cannot be made so. */
int file_plan_twins(struct restore *r, struct task *task, struct file *f, const struct file_maker *maker,
		    struct plan *p);
