/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * /proc/PID as a directory: every reader of kern/proc takes a descriptor of it, so the path is formatted once per task.
 * "/proc/PID/task/TID" serves as well for files that threads have.
 *
 * Errors of all readers: -ENOENT and -ESRCH (the task is gone, or this kernel lacks the file) are returned without a
 * word; everything else is reported where it is found.
 */
#pragma once

#include <sys/types.h>

#include "base/buffer.h"

int proc_open(pid_t pid); /* O_PATH; only for the functions that take a directory */
int proc_open_thread(int proc, pid_t tid);
/* The whole file of the directory replaces the content of the buffer, whose room is used again. Returns 0 or -errno. */
int proc_read(int proc, const char *name, struct buffer *buffer);
/* The same for a file that the kernel writes in one piece (single_open()), like fdinfo: one call less. */
int proc_read_record(int proc, const char *name, struct buffer *buffer);
/* Those of a file that is open, from its begin; name is for messages. */
int proc_read_open(int fd, const char *name, struct buffer *buffer);
int proc_read_open_record(int fd, const char *name, struct buffer *buffer);
/* That of one of its threads. */
int proc_read_thread_record(int proc, pid_t tid, const char *name, struct buffer *buffer);
/* One of its threads' files that is a list of pids: one call less, too. */
int proc_read_thread_pids(int proc, pid_t tid, const char *name, struct buffer *buffer);
/* The number of a namespace, by its file ("ns/net", "task/7/ns/time_for_children"): half the work of a stat(2), which
 * makes an inode. -errno, never logged. */
int proc_namespace(int proc, const char *file, ino_t *ret);
/* What a reader returns for an errno of a system call: reports it unless the task is gone. Returns -errno. */
int proc_fail(int error, const char *name);

/* Undoes the escapes \040 \011 \012 \134 ... of mountinfo, maps and their like in place; returns text. */
char *proc_unescape(char *text);
