/* SPDX-License-Identifier: GPL-2.0-only */
/* Stopping a tree of tasks and letting it go. */
#pragma once

#include "session/session.h"

/*
 * Finds and stops the tree below d->options->pid: every thread stands in a ptrace stop, d->tree is filled (states, ids
 * of sessions and groups, thread_dump status). Zombies are found, not stopped.
 */
int freeze_tree(struct dump *d);

/* No signal is about to be delivered to a thread with this mask: a plain EINTR can come only from our stop. */
bool freeze_no_signals(const struct proc_status *status, uint64_t sigmask);
/* As soon as a thread stands still: if our stop has broken off a call, it is made again. Later would be too late,
 * should we be killed. */
int freeze_repair_call(struct dump *d, const struct thread *thread);

/* The tasks run on, as they were found; they can still be looked at from outside. */
void release_tree(struct dump *d);
/* Lets all tasks go as they were found. Safe at any moment of a dump: threads that are away in the blob are brought
 * home first. */
void thaw_tree(struct dump *d);
/* Leaves them stopped by SIGSTOP. */
void stop_tree(struct dump *d);
/* Kills all tasks, and waits until they are gone (or zombies). */
void kill_tree(struct dump *d);
