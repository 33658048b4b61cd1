/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * New tasks and threads whose creators have no right to choose a pid (CAP_CHECKPOINT_RESTORE over the pid namespace),
 * as they live in a user namespace that the pid namespace, or one around it, does not belong to. We tell the kernel
 * which one comes next (/proc/sys/kernel/ns_last_pid), and if somebody else was faster, the new one ends at once and
 * another is made.
 */
#pragma once

#include "session/session.h"

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

/* For a child, or for threads of the creator itself. */
bool next_pid_is_used(const struct restore *r, const struct task *creator, const struct task *made);
/* Makes a task, or a thread of its creator. */
int next_pid_make(struct restore *r, struct task *creator, struct thread *thread);
/*
 * All have been made: in pid namespaces of the tree those that come later get higher numbers, as they would have had,
 * and not such of tasks that have ended or, in a pod, are away for the moment. What fails is logged.
 */
void next_pids_raise(struct restore *r);
