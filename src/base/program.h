/* SPDX-License-Identifier: LGPL-2.1-only */
/* Other programs, run to their end. */
#pragma once

#include <stdbool.h>

/*
 * From now on, until it is called with false, no program can be run: it would close its copies of our descriptors, and
 * that waits for the server of a file of FUSE, which stands still.
 */
void program_forbid(bool forbidden);
/* Refuses if they are forbidden; name: what was to be run. */
int program_check(const char *name);

/*
 * Runs argv[0], found by PATH, with these descriptors as its input and output (-1: ours). -ENOENT: it is not there.
 * -EIO: it failed. Nothing is logged, unless programs are forbidden.
 */
int program_run(const char *const *argv, int input, int output);
/* The same with a text as its input. What keeps us from giving it is logged. */
int program_feed(const char *const *argv, const char *text);
