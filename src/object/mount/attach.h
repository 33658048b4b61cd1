/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore: each namespace, a copy of ours until then, gets its root and what is mounted below it. In a process of ours
 * (namespace_run). */
#pragma once

struct mount_set;
struct mount_space;

/* For namespace_run(): all namespaces, but for bound ptys; */
int spaces_make(void *restore);
/* bound ptys; */
int spaces_finish(void *restore);
/* and those that awaited a pid namespace which is there now. */
int spaces_follow(void *restore);
/* After it, with our own power: peer groups and slaves. */
int spaces_share(void *restore);
/* When all files are open: what is read-only. */
int spaces_settle(void *restore);
/* In a process of our own (namespace_run), goes on in the namespace. */
int space_enter(struct mount_set *set, const struct mount_space *space);
