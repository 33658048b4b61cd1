/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * New tasks and threads of a tree with a user namespace of its own, but without a pid namespace: their creators have no
 * right to choose a pid there (CAP_CHECKPOINT_RESTORE over the pid namespace). We tell the kernel which one comes next
 * (/proc/sys/kernel/ns_last_pid), and if somebody else was faster, the new one ends at once and another is made.
 */
#pragma once

#include "session/session.h"

bool next_pid_is_used(const struct restore *r, const struct task *creator);
/* Makes one thread with the CLONE_* flags, in its creator; as a new process with exit_signal 0 or SIGCHLD. */
int next_pid_make(struct restore *r, struct task *creator, struct thread *thread, uint64_t flags, int exit_signal);
