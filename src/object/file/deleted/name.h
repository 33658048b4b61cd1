/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names that root makes and removes in directories of others. The owner of a directory may put a link in its place at
 * any moment, so a path is walked once, links on the way are not followed, and all else is done in the directory that
 * was found. What is found by a name is compared with what was made.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "base/vector.h"

struct made_directory {
	int parent;
	char *name;
};

struct held_name {
	int dir;	     /* O_PATH */
	char path[PATH_MAX]; /* from the root where it was looked for; another one than asked for if something is in the
				way */
	VECTOR(struct made_directory) made;
};

#define HELD_NAME_NONE    \
	{                 \
		.dir = -1 \
	}

enum held_how {
	HELD_AS_IT_IS, /* -ENOENT, unlogged: some directory is not there */
	HELD_NEAREST,  /* in the last directory that is there */
	HELD_MADE,     /* directories that are missing are made, until held_name_close() */
};

/* What is no directory in the path ends the walk: the name is then one in the directory before. root: -1 = ours. */
int held_name_open(int root, const char *path, enum held_how how, struct held_name *ret);
/* Another last part. */
int held_name_change(struct held_name *name, const char *base);
const char *held_name_base(const struct held_name *name);
void held_name_close(struct held_name *name);
/* One more name of the file behind fd. -errno, unlogged. */
int held_name_link(const struct held_name *name, int fd);
/* O_PATH descriptor of what bears the name; -ESTALE, unlogged: it is another file than that of fd. */
int held_name_find(const struct held_name *name, int fd, int *ret_fd);
/* Removes the name if the file of fd bears it; else it has been taken by somebody, and stays with a warning. */
void held_name_remove(const struct held_name *name, int fd);
