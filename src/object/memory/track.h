/* SPDX-License-Identifier: GPL-2.0-only */
/* Who wrote to which pages since the last dump? */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dump;
struct mapping;
struct task;

/* Reads what is needed of the parent images, before anything stands still. Refuses what this kernel cannot do. */
int memory_track_begin(struct dump *d);
/* When the mappings are known: those that criu itself watches are marked, and lose VMF(UW). */
int memory_track_find(const struct dump *d, struct task *task);
bool memory_is_trackable(const struct mapping *m);

/* What is known of the memory of a task. */
struct task_tracking {
	bool unwritten_known; /* pages of tracked mappings that were not written to are as the parent images have them
			       */
	bool soft_dirty;      /* the soft-dirty bits tell it, of all mappings that can be tracked */
	bool prepared;	      /* the rest is set */
	int old;	      /* our copy of the tracker before, or -1 */
	bool kept;	      /* it goes on */
	int64_t number;	      /* of the new one in the task, or -errno */
};

/* Made at the first call. */
struct task_tracking *task_tracking_of(const struct task *task);
