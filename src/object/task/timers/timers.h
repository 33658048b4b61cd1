/* SPDX-License-Identifier: GPL-2.0-only */
/* Steps that make and start POSIX timers. */
#pragma once

/* A signal of a timer has come after the timer was read, or shortly before: the record shows it as it is now. code and
 * timer as in siginfo_t, signal by itself for interval timers. */
void timers_note_signal(TaskTimersEntry *record, int signal, int code, int timer);
