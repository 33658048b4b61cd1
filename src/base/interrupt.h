/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * SIGTERM, SIGINT, SIGHUP and SIGQUIT in the middle of something that must be undone: they are noted, and the next
 * phase fails. Calls that wait for others wait at interrupt_fd() as well; all other calls are made again by the kernel
 * (SA_RESTART).
 */
#pragma once

#include "base/deadline.h"

/*
 * From now on these signals are noted, but those that are ignored (nohup(1)). outcome tells in the message what becomes
 * of the tasks. Processes forked by this one let these signals pass. Within something that catches them already, only
 * the outcome changes: a signal that nobody has told of yet is not lost.
 */
void interrupt_catch(const char *outcome);
/* In a child that goes on in the place of this process: the signals are noted there. */
void interrupt_take_over(void);
/* Fails if a signal has come. It is logged once. */
int interrupt_check(void);
/* The same for the last time: what follows, be it the end or the undoing, is not interrupted. */
int interrupt_check_last(void);
/* Back to what the signals did before. Returns the signal that came too late for a check, 0 if there was none. */
int interrupt_release(void);
/*
 * Waits until fd can be read or written (POLLIN, POLLOUT): 1, or 0 if the deadline passes before that; or the failure
 * of interrupt_check().
 */
int interrupt_poll(int fd, short events, const struct deadline *deadline);
/* Becomes readable when a signal comes; -1 if none would fail a check. */
int interrupt_fd(void);
