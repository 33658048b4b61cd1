/* SPDX-License-Identifier: GPL-2.0-only */
/* The names in a directory, in the order in which they must be made. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/vector.h"

struct content_names {
	VECTOR(char) text; /* one after the other, each with its end */
	VECTOR(struct content_name {
		ino_t inode;
		size_t at; /* in the text */
	})
	list;
};

/*
 * Whether this file system lists what was made last at first, as all of memory do, but for a tmpfs of Linux 6.6 and
 * some after it.
 */
bool content_lists_newest_first(int root);

/* All but . and .. of a directory. -errno without a log line. */
int content_names_read(int dir, bool newest_first, struct content_names *ret);
void content_names_done(struct content_names *names);
