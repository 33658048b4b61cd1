/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore of the mounts of automounters. */
#pragma once

struct plan;
struct restore;
struct superblock;
struct thread;

/* restore: the record; */
int autofs_load(const struct restore *r, struct superblock *super);
/* Sets super->fd. In the namespaces of the root task, before other file systems are made. Nobody serves it yet; */
int autofs_make(struct restore *r, struct superblock *super);
/* All files are open: from here on accesses are told to the automounter. */
int autofs_restore_plan(struct restore *r, struct thread *thread, struct plan *plan);
