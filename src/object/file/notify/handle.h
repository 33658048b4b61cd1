/* SPDX-License-Identifier: GPL-2.0-only */
/* Inodes without a path: what fdinfo of inotify and fanotify tells, a file handle (open_by_handle_at(2)). */
#pragma once

#include "fh.pb-c.h"
#include "object/file/file.h"

/* Dump: "... fhandle-bytes:8 fhandle-type:1 f_handle:1ac5030000000000" into a record, with the path that it has now.
 * of: the file that watches. */
int handle_dump(const struct dump *d, const struct open_file *of, const char *value, uint64_t ino, uint32_t dev,
		FhEntry **ret);
/* Dump: when all files are known. Those that have no path must be open in the tree. */
int handle_finish(const struct dump *d);
/* The kernel packs a device number for itself into 12 and 20 bits. */
dev_t handle_dev(uint32_t dev);
bool handle_is_inode(const char *path, uint64_t ino, uint32_t dev);

/* Restore, at link: the file of the tree that is watched is kept until handle_open(). */
int handle_link(const struct restore *r, const FhEntry *handle);
/* Restore: an O_PATH descriptor of the inode: by path if it is (still) the same, else by handle. dev is the kernel's
 * number. */
int handle_open(struct restore *r, const FhEntry *handle, uint64_t ino, uint32_t dev, int *ret_fd);
/* Dump: the mount point of a mount that the task sees, or NULL. The text lives in d->pool. */
const char *handle_mount_path(const struct dump *d, const struct task *task, int mnt_id);
/* Dump: the mount point of a mount of this file system that the task sees, or NULL; dev is the kernel's number. */
const char *handle_device_path(const struct dump *d, const struct task *task, uint32_t dev, uint32_t *ret_mnt_id);
