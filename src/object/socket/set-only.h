/* SPDX-License-Identifier: GPL-2.0-only */
/* Options that the kernel lets a program set, and tells nobody: they are read from its memory, where that can be. */
#pragma once

#include <stdbool.h>

struct dump;
struct open_file;
struct socket_options;

struct set_only {
	int busy_poll_budget, inq, mtu;
};

/* What cannot be read is as in a new socket. */
struct set_only set_only_read(const struct dump *d, const struct open_file *of, const struct socket_options *options);
/* True if it is one of these. */
bool set_only_told(const struct set_only *values, int level, int option, int *ret);
