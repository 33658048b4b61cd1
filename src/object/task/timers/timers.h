/* SPDX-License-Identifier: GPL-2.0-only */
/* Steps that make and start POSIX timers. */
#pragma once

#include "plan/plan.h"
#include "session/session.h"

/* A signal of a timer has come after the timer was read, or shortly before: the record shows it as it is now. code and
 * timer as in siginfo_t, signal by itself for interval timers. */
void timers_note_signal(TaskTimersEntry *record, int signal, int code, int timer);
/* Sorts the timers by id; -EINVAL (logged) if two have the same. */
int timers_sort(TaskTimersEntry *record);
/* All timers of the record (sorted), each with its id, not yet running. Steps of the leader. */
void timers_plan_create(struct restore *r, const struct task *task, const TaskTimersEntry *record, struct plan *plan);
/* Lets one run with the time that it had left, and with the overruns of its last signal. Steps of the leader; all
 * signals are blocked, none is queued yet. */
void timer_plan_arm(struct restore *r, const struct task *task, const PosixTimerEntry *entry, struct plan *plan);
