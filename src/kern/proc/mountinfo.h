/* SPDX-License-Identifier: LGPL-2.1-only */
/* The mounts that a process sees: /proc/PID/mountinfo (proc_pid_mountinfo(5)). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/pool.h"

struct proc_mount {
	int id, parent_id;	       /* the parent of the root is outside, or the root itself */
	dev_t dev;		       /* st_dev of files there */
	const char *root, *mountpoint; /* unescaped */
	unsigned long flags;	       /* MS_RDONLY, MS_NOSUID, ..., of the mount */
	const char *options;	       /* the words behind them, of the mount, as they stand: "rw,relatime,idmapped" */
	int shared, master, propagate_from; /* peer groups, 0 = none */
	bool unbindable;
	const char *fs_type, *fs_subtype; /* "fuse" and "sshfs"; subtype NULL if none */
	const char *source;		  /* unescaped, may be "" */
	unsigned long super_flags;	  /* MS_RDONLY, MS_SYNCHRONOUS ..., of the super block */
	const char *super_options; /* of the super block as they stand, escapes (\054 is a comma in a value) included */
};

struct proc_mounts {
	struct proc_mount *items;
	size_t n, capacity;
};

/* In the order of the file. Strings go to the pool. ret must be zeroed or from an earlier read. */
int proc_mounts_read(int proc, struct pool *pool, struct proc_mounts *ret);
int proc_mounts_parse(char *text, struct pool *pool, struct proc_mounts *ret); /* changes the text */
void proc_mounts_done(struct proc_mounts *mounts);

const struct proc_mount *proc_mounts_find(const struct proc_mounts *mounts, int id);
