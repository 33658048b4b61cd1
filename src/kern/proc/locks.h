/* SPDX-License-Identifier: LGPL-2.1-only */
/* File locks: /proc/locks, and the value of "lock:" in fdinfo, which has the same form. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum proc_lock_kind {
	PROC_LOCK_POSIX,
	PROC_LOCK_FLOCK,
	PROC_LOCK_OFD,
	PROC_LOCK_LEASE,
	PROC_LOCK_DELEGATION,
	PROC_LOCK_OTHER
};

#define PROC_LOCK_EOF UINT64_MAX

struct proc_lock {
	int64_t id; /* number of the line; a waiter has that of the lock it waits for */
	enum proc_lock_kind kind;
	bool waiting;	/* "->": does not hold the lock yet */
	bool mandatory; /* POSIX locks of old kernels */
	bool breaking;	/* a lease that is being broken */
	int type;	/* F_RDLCK, F_WRLCK, F_UNLCK (a lease that is to be given up) */
	pid_t pid;	/* -1 for OFD locks, 0 if the owner is out of sight */
	dev_t dev;	/* of the super block, as in maps */
	ino_t inode;
	uint64_t start, end; /* inclusive; end may be PROC_LOCK_EOF */
};

struct proc_locks {
	struct proc_lock *items;
	size_t n, capacity;
};

/* The system's table; read it once. ret must be zeroed or from an earlier read. */
int proc_locks_read(struct proc_locks *ret);
int proc_locks_parse(char *text, struct proc_locks *ret); /* changes the text */
void proc_locks_done(struct proc_locks *locks);

/* One line. -EINVAL (not reported). */
int proc_lock_parse(const char *line, struct proc_lock *ret);
