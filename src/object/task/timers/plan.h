/* SPDX-License-Identifier: GPL-2.0-only */
/* How POSIX timers come back: with their ids, clocks, targets, time left and overruns. */
#pragma once

#include "timer.pb-c.h"

struct plan;
struct restore;
struct task;

/* Sorts the timers by id; -EINVAL (logged) if two have the same. */
int timers_sort(TaskTimersEntry *record);
/* All timers of the record (sorted), each with its id, not yet running. Steps of the leader. */
void timers_plan_create(struct restore *r, const struct task *task, const TaskTimersEntry *record, struct plan *plan);
/* Lets one run with the time that it had left, and with the overruns of its last signal. Steps of the leader; all
 * signals are blocked, none is queued yet. */
void timer_plan_arm(struct restore *r, const struct task *task, const PosixTimerEntry *entry, struct plan *plan);
