/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptors of a task that are none of the program's: those by which criu tracks its memory (kern/track.h). */
#pragma once

struct task;

void task_note_tracker(struct task *task, int number);
