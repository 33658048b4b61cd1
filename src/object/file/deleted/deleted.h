/* SPDX-License-Identifier: GPL-2.0-only */
/* Files whose path does not lead to them any more: remap-fpath.img and what stands behind it. */
#pragma once

#include <stdbool.h>

#include "ghost-file.pb-c.h"
#include "regfile.pb-c.h"
#include "remap-file-path.pb-c.h"

struct dump;
struct open_file;
struct restore;

/* Of FS_IOC_GETFLAGS, what is saved: not what says how a file is stored, and not what forbids to write to it. */
#define GHOST_ATTRIBUTES (FS_SYNC_FL | FS_NODUMP_FL | FS_NOATIME_FL | FS_DIRSYNC_FL)

/* One entry of remap-fpath.img, in a restore. */
struct remap {
	const RemapFilePathEntry *entry;
	RemapType type;
	uint32_t id;		    /* remap_id without the flag of older images */
	const RegFileEntry *record; /* of the file that was deleted */
	struct remap *same;	    /* next one with the same ghost */
	int fd;			    /* O_PATH: stands in for the path, -1 until needed */
	int opened;		    /* is the opening itself, -1 usually */
};

/* A deleted file, in a restore. */
struct ghost {
	uint32_t id;
	struct remap *users;
};

/* 1 if something stands in for the path: *ret is another path, or NULL if it is made from the images. Else
 * 0. */
int deleted_find_link(const struct restore *r, const RegFileEntry *record, const RegFileEntry **ret);
/* Opens what stands in for the path of the record; -ENOENT, unlogged, if the path itself is to be used. */
int deleted_open(struct restore *r, const RegFileEntry *record, int flags, int *ret_fd);
/* It lies below /proc/PID of a process that is dead: to be opened when all tasks and threads are there. */
bool deleted_is_of_dead(const struct restore *r, const RegFileEntry *record);
/* All files are open and all directories entered. */
void deleted_settle(struct restore *r);
/* Dump: keeps content or a name for a file whose path does not lead to it any more; may change the name in the record.
 */
int deleted_dump(const struct dump *d, const struct open_file *of, RegFileEntry *record);
int deleted_write(struct dump *d);
int deleted_prepare(const struct restore *r);
int deleted_resume(struct restore *r);
void deleted_clean(struct restore *r);
