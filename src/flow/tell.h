/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs that want to know when they are checkpointed and restored: docs/TELL.md. */
#pragma once

#include "session/session.h"

struct file_iter;
struct tell;

struct tell *tell_create(void);
/* Whether one that runs wants to know; proc is /proc/PID. files may be NULL. */
void tell_look_at(struct tell *tell, struct file_iter *files, pid_t pid, int proc);
/*
 * Before anything stands still: tells those that were found, and waits until all have answered, at most
 * --tell-timeout seconds for all together. One that says no makes it fail; who does not answer is told in the log.
 * tell may be NULL: nobody is asked.
 */
int tell_before_dump(const struct options *options, struct tell *tell);
/* They go on as what they were: before they are let go. */
void tell_goes_on(struct tell *tell);
/* And the signals, when they run. Accepts NULL. */
void tell_end(struct tell **tell);

/* The checkpoint may have such programs: else nobody looks at each descriptor of each task. Before restore/clean. */
bool tell_is_wanted(const struct restore *r);
/* They are copies: before they are let go; tell_end() after that. */
void tell_restored(struct restore *r, struct tell **ret);
