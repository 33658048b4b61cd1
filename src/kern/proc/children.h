/* SPDX-License-Identifier: LGPL-2.1-only */
/* Threads and children of a process. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct proc_pids {
	pid_t *items;
	size_t n, capacity;
};

/* Both replace the content of ret, whose room is used again. */
int proc_threads_read(int proc, struct proc_pids *ret); /* rising; the leader is among them */
/* Of all threads of the process, in the order in which each thread made them. Reliable only when all are stopped. */
int proc_children_read(int proc, struct proc_pids *ret);
/* Appends those that this thread made. */
int proc_children_add(int proc, pid_t tid, struct proc_pids *pids);
void proc_pids_done(struct proc_pids *pids);

/* Appends the numbers of a text separated by blanks. -EINVAL (reported). */
int proc_pids_parse(const char *text, struct proc_pids *pids);
