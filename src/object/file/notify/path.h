/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths of inodes on file systems whose file handles are no help (overlayfs). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dump;
struct file_dump;
struct proc_mounts;
struct task;

/* Forgets where inodes were found. */
void path_forget_walks(struct file_dump *files);

/* The mounts of one namespace, and its root directory; -1: ours. */
struct handle_mounts {
	const struct proc_mounts *all;
	int root;
};

/* Dump: where file handles are no help. deleted: it has no path any more, as far as they tell. */
const char *path_of_inode(const struct dump *d, const struct task *task, const struct handle_mounts *mounts,
			  uint64_t ino, uint32_t dev, bool deleted);
