/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reaps traced threads that die while we stop a tree. A thread that executes a program waits until all others are gone
 * (de_thread() of the kernel), which for traced ones means reaped by their tracer, and holds a lock meanwhile that
 * PTRACE_SEIZE of it wants as well: who attaches to it cannot reap. Another thread of the tracer can.
 */
#pragma once

#include <sys/types.h>

struct reaper;

struct reaper *reaper_create(void);
/* From now on this thread, which is not the leader of its process, is reaped when it has died. Accepts NULL. If no
 * thread can be made for that, an execve(2) at the wrong moment has to be waited for. */
void reaper_watch(struct reaper *reaper, pid_t tid);
/* Nothing is reaped while there is progress: only who waits in vain needs it. Accepts NULL. */
void reaper_note_progress(struct reaper *reaper);
void reaper_destroy(struct reaper **reaper); /* accepts NULL; for AUTO() */
