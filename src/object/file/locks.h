/* SPDX-License-Identifier: GPL-2.0-only */
/* File locks: POSIX, flock, OFD, leases. They hang on descriptor tables and open files, so the core calls these
 * directly. */
#pragma once

#include "object/file/file.h"

struct plan;

/* Dump: the locks that fdinfo of this descriptor shows; is_new: the file was not seen before. */
int locks_dump(const struct dump *d, const struct open_file *of, bool is_new);
int locks_write(struct dump *d);
/* Restore: reads the image. */
int locks_load(const struct restore *r);
/* restore --copies: a lock of one copy would keep out the others. */
int locks_check_copies(const struct restore *r);
/*
 * Restore: steps that set the locks of the task. Those of POSIX are the last ones: a task loses them when it closes any
 * descriptor of the same inode. Before Linux 6.9 pidfds had the inode of eventfds and the like.
 */
int locks_plan(struct restore *r, struct task *task, bool last, struct plan *p);
/* All tasks are there, none runs yet: leases that were being broken are broken again. Before owners of signals are set.
 */
int locks_settle(struct restore *r);
