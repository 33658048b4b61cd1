/* SPDX-License-Identifier: GPL-2.0-only */
/* Stopping the threads of one task: all are asked first, then waited for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "session/session.h"

/* Attaches to a thread, or to all that are not known yet, and asks them to stop. Returns how many there were. */
int seize_new_thread(struct dump *d, struct task *task, pid_t tid);
int seize_new_threads(struct dump *d, struct task *task);
/*
 * Waits for all that were asked. One that ended instead is forgotten; -ESRCH, not logged, if it is the leader: the task
 * is a zombie.
 */
int wait_threads(struct dump *d, struct task *task);
/* Whether the threads that we hold are all of the task. Returns 1 or 0; the status of the leader is read. */
int all_stand_still(const struct task *task);
/* What that status says: no other thread has taken the place of the main thread. */
bool leader_stands_still(const struct task *task);
/* The status of all other threads; what keeps them from being asked is refused, or suspended. */
int read_statuses(struct dump *d, struct task *task);

/* No signal is about to be delivered to a thread with this mask: a plain EINTR can come only from our stop. */
bool freeze_no_signals(const struct proc_status *status, uint64_t sigmask);
/* As soon as a thread stands still: if our stop has broken off a call, it is made again. Later would be too late,
 * should we be killed. */
int freeze_repair_call(struct dump *d, const struct thread *thread);
/* It is in its last system call, exit(2), and will stop no more; or it is gone. */
bool freeze_is_ending(const struct task *task);
