/* SPDX-License-Identifier: GPL-2.0-only */
/* Files below /proc/PID of a process or thread that is dead. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "regfile.pb-c.h"

struct pid_space;
struct restore;

/* "/proc/PID/rest" or "/proc/PID/task/TID/rest". */
struct procfs_name {
	pid_t pid, tid; /* tid 0: there is none */
	const char *rest;
};

bool procfs_parse_name(const char *name, struct procfs_name *ret);
/* It is named by a descriptor or by an area of memory of the process. */
bool procfs_is_of_descriptor(const struct procfs_name *name);

/* Restore: processes that stand in for those that were dead at the dump. */
struct procfs_helper {
	pid_t wanted, pid, number;     /* as recorded; ours, and in its pid namespace */
	const struct pid_space *space; /* which that is; NULL: that of the tree */
};

struct procfs_helpers {
	struct procfs_helper *items;
	size_t n, capacity;
};

/* Opens a file of a process that was dead at the dump. All tasks and threads must be there: they need their numbers. */
int procfs_open_dead(struct restore *r, struct procfs_helpers *helpers, pid_t pid, const RegFileEntry *record,
		     int flags, int *ret_fd);
void procfs_end_helpers(struct procfs_helpers *helpers);
/*
 * Refuses a file below /proc that belongs to criu itself, or, unless we may trace anybody, to a process with
 * capabilities outside of the tree: it was opened with our rights, and the program would have the memory of a process
 * that may do more than itself.
 */
int procfs_check_opened(struct restore *r, int fd);
