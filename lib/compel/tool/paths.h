/* SPDX-License-Identifier: LGPL-2.1-only */
/* Where the parts are that users of parasites need. */
#pragma once

#include <stddef.h>

enum part { PART_INCLUDE, PART_PLUGINS, PART_SCRIPTS, PART_SHARED, PART_STATIC };

/*
 * Directory or file: below COMPEL_UNINSTALLED_ROOTDIR (a build directory) if that is set, else where it was installed,
 * also if all was moved to another root (DESTDIR). Returns 0, or -ENOENT, not logged, for what a build directory does
 * not offer.
 */
int paths_find(enum part part, char *to, size_t capacity);
