/* SPDX-License-Identifier: LGPL-2.1-only */
/* Other programs, run to their end. */
#pragma once

/*
 * Runs argv[0], found by PATH, with these descriptors as its input and output (-1: ours). -ENOENT: it is not there.
 * -EIO: it failed. Nothing is logged.
 */
int program_run(const char *const *argv, int input, int output);
/* The same with a text as its input. What keeps us from giving it is logged. */
int program_feed(const char *const *argv, const char *text);
