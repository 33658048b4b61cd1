/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the kernel keeps of the open files of a process, of all its descriptors at once: a BPF iterator (Linux 5.8). It
 * wants CAP_BPF and CAP_PERFMON, and a kernel with BTF: who uses it has another way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FILE_ITER_WORTH	 64 /* so many descriptors, or more: for fewer, to load the program takes longer */
#define FILE_ITER_TASKS	 50 /* so many processes, or more: then of all at once, even of few descriptors each */
#define FILE_ITER_SPREAD 16 /* for each of these so many descriptors of the whole machine, and no more */

struct file_facts {
	int number;
	uint64_t file;	/* stands for the open file: good for nothing but to be compared */
	uint32_t flags; /* O_*, as F_GETFL tells */
	mode_t mode;
	uid_t uid; /* as in the first user namespace */
	gid_t gid;
	dev_t dev; /* of the file system; stat(2) of some tells another */
	ino_t ino;
	bool has_no_owner; /* F_SETOWN, F_SETSIG and the like were never used; false also if this kernel does not tell
			    */
	bool has_no_locks; /* nobody has ever locked the inode on this machine; the same */
	int family;	   /* of a socket: AF_UNIX, ...; 0: not known */
	/* Of a pipe. */
	bool knows_pipe;
	uint32_t pages_max; /* of memory: F_GETPIPE_SZ */
	bool is_empty, has_readers, has_writers;
};

struct file_facts_list {
	struct file_facts *items; /* rising by number */
	size_t n, capacity;
};

struct file_iter;
struct task_facts_list;

struct file_iter *file_iter_create(void);
void file_iter_destroy(struct file_iter **iter); /* accepts NULL; for AUTO() */
/* It replaces what ret has. False, and nothing is logged: it cannot be had, or the process has gone. */
bool file_iter_read(struct file_iter *iter, pid_t pid, struct file_facts_list *ret);
/* The same of a process that stands still until the iter is destroyed: it is asked once. NULL for false. */
const struct file_facts_list *file_iter_read_still(struct file_iter *iter, pid_t pid);
/*
 * Of all processes that criu sees, whose threads are given: one walk over all descriptors of the machine, which ends
 * without a result if there are more than n for each of so many that are wanted. What it tells is for
 * file_iter_find(), and with `still` for file_iter_read_still(): then those that are wanted stand still.
 */
bool file_iter_read_all(struct file_iter *iter, const struct task_facts_list *tasks, size_t wanted, bool still);
/* What was told with all others, the last time; NULL: it was not. */
const struct file_facts_list *file_iter_find(const struct file_iter *iter, pid_t pid, bool still);
void file_iter_forget_running(struct file_iter *iter);
const struct file_facts *file_facts_find(const struct file_facts_list *list, int number); /* NULL: not there */
void file_facts_done(struct file_facts_list *list);
