/* SPDX-License-Identifier: GPL-2.0-only */
/* Files whose path does not lead to them any more: remap-fpath.img and what stands behind it. */
#pragma once

#include "ghost-file.pb-c.h"
#include "object/file/regular/regular.h"
#include "remap-file-path.pb-c.h"

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

/* relink.c, dump: a name for a file that has others elsewhere. Tells the id of its entry. */
int relink_dump(struct dump *d, const struct open_file *of, const char *name, uint32_t *ret_id);
/* Dump: the file is counted to have names, but has none left. */
bool relink_is_nameless(const struct dump *d, const struct open_file *of, const char *name);
/* Removes the names made, after a failure. */
void relink_undo(struct dump *d);
struct file_dump;
void relink_forget(struct file_dump *files);
/*
 * Restore: sets remap->fd, on the mount that the file was open on. "made" is a name that "file" has for the moment,
 * in the root directory of the record "from", which is of another mount of the same file system.
 */
int deleted_open_on_other_mount(struct restore *r, const RegFileEntry *from, const char *made, int file,
				struct remap *remap);
/* Restore: a descriptor of the file, under its old name if that is free. */
int relink_find(struct restore *r, struct remap *remap);
/* Restore: it went well, the name is not needed any more. */
void relink_remove(struct restore *r, const struct remap *remap);

/* procfs.c: "/proc/PID/rest" or "/proc/PID/task/TID/rest". */
struct procfs_name {
	pid_t pid, tid; /* tid 0: there is none */
	const char *rest;
};

bool procfs_parse_name(const char *name, struct procfs_name *ret);
/* It is named by a descriptor or by an area of memory of the process. */
bool procfs_is_of_descriptor(const struct procfs_name *name);

/* procfs.c, restore: processes that stand in for those that were dead at the dump. */
struct procfs_helper {
	pid_t wanted, pid, number;     /* as recorded; ours, and in its pid namespace */
	const struct pid_space *space; /* which that is; NULL: that of the tree */
};

struct procfs_helpers {
	struct procfs_helper *items;
	size_t n, capacity;
};

/* Opens a file of a process that was dead at the dump. All tasks and threads must be there: they need their numbers. */
int procfs_open_dead(struct restore *r, struct procfs_helpers *helpers, pid_t pid, const RegFileEntry *record,
		     int flags, int *ret_fd);
void procfs_end_helpers(struct procfs_helpers *helpers);
/*
 * Refuses a file below /proc that belongs to criu itself, or, unless we may trace anybody, to a process with
 * capabilities outside of the tree: it was opened with our rights, and the program would have the memory of a process
 * that may do more than itself.
 */
int procfs_check_opened(struct restore *r, int fd);

/* ghost.c: the content of a deleted file into its image. */
int ghost_dump(const struct dump *d, const struct open_file *of, uint32_t id);
/* ghost-restore.c: makes it again, for all who had it open, with as little trace in the directory as possible. */
int ghost_create(struct restore *r, struct ghost *ghost);
