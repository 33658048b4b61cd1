/* SPDX-License-Identifier: LGPL-2.1-only */
/* Work in a process of its own, with all our memory and descriptors: that a SIGKILL of this program must not cut in
 * two, or that only a process of one thread can do. */
#pragma once

/*
 * Runs function(arg) in a new process and waits for its end. It shares our memory and descriptors, not our root and
 * working directory, has all signals blocked, and uses our thread-local memory while we sleep, as the child of
 * posix_spawn(3) does. 0, or -errno, logged, if it could not be made or was killed.
 */
int apart_spawn(int (*function)(void *arg), void *arg);
/* Runs work(arg) there, in a session of its own: a key of the terminal is for us. Returns its result, or -errno,
 * logged. */
int apart_run(int (*work)(void *arg), void *arg);
