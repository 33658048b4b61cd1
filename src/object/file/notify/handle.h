/* SPDX-License-Identifier: GPL-2.0-only */
/* Inodes without a path: what fdinfo of inotify and fanotify tells, a file handle (open_by_handle_at(2)). */
#pragma once

#include "fh.pb-c.h"
#include "object/file/file.h"

/* Dump: "... fhandle-bytes:8 fhandle-type:1 f_handle:1ac5030000000000" into a record, with the path that it has now.
 * of: the file that watches. */
int handle_dump(struct dump *d, const struct open_file *of, const char *value, uint64_t ino, uint32_t dev,
		FhEntry **ret);
/* Restore: an O_PATH descriptor of the inode: by path if it is (still) the same, else by handle. dev is the kernel's
 * number. */
int handle_open(struct restore *r, const FhEntry *handle, uint64_t ino, uint32_t dev, int *ret_fd);
/* Dump: the mount point of a mount that the task sees, or NULL. The text lives in d->pool. */
const char *handle_mount_path(struct dump *d, const struct task *task, int mnt_id);
/* Dump: the mount point of a mount of this file system that the task sees, or NULL; dev is the kernel's number. */
const char *handle_device_path(struct dump *d, const struct task *task, uint32_t dev, uint32_t *ret_mnt_id);
