/* SPDX-License-Identifier: GPL-2.0-only */
/* A folder of ours for the images of one migration. */
#pragma once

#include <limits.h>
#include <stdbool.h>

struct options;

struct migrate_folder {
	int fd; /* -1: there is none */
	char path[PATH_MAX];
};

/* Below --images-dir if it was given, else where it is fast. What others that were killed have left there goes. */
int folder_make(const struct options *options, const char *id, bool in_memory, struct migrate_folder *ret);
/* Removes folders of processes that were killed. */
void folder_sweep(const struct options *options, bool in_memory);
/* The same in all places where they can be. How many there were. */
unsigned folder_sweep_all(const struct options *options);
/* A directory in it. */
int folder_add(const struct migrate_folder *folder, const char *name);
/* With all that is in it; does nothing if there is none. */
void folder_remove(struct migrate_folder *folder);
