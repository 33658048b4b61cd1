/* SPDX-License-Identifier: GPL-2.0-only */
/* Deleted files, restore. */
#pragma once

#include "regfile.pb-c.h"

struct remap;
struct restore;

/*
 * Restore: sets remap->fd, on the mount that the file was open on. "made" is a name that "file" has for the moment,
 * in the root directory of the record "from", which is of another mount of the same file system.
 */
int deleted_open_on_other_mount(struct restore *r, const RegFileEntry *from, const char *made, int file,
				struct remap *remap);
