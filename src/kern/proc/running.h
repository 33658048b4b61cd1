/* SPDX-License-Identifier: LGPL-2.1-only */
/* Processes that run, and what they have open: how it is at the moment of the look, so nothing of it is sure. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "kern/proc/mountinfo.h"

struct file_iter;
struct task_iter;

/*
 * Visits root and all below it, parents first; proc is /proc/PID. Who is made meanwhile may be missed. Ends early when
 * visit() returns true. iter (may be NULL) is prepared, and used, if there are so many threads that it is worth it; so
 * is files (may be NULL), if visit() looks at the descriptors of all of them.
 */
void running_visit_tree(pid_t root, struct task_iter *iter, struct file_iter *files,
			bool (*visit)(void *arg, pid_t pid, int proc), void *arg);

struct running_descriptor {
	int number;    /* in its table */
	int fd;	       /* a copy of ours, until visit() returns; for wants() it may be -1 */
	mode_t format; /* S_IFSOCK, ...; 0: an anonymous inode */
	dev_t dev;
	ino_t ino;
};

struct running_visitor {
	struct file_iter *iter; /* tells of all at once; may be NULL */
	/* Only what it wants is visited: others need not be copied. What it looks at may be gone already. */
	bool (*wants)(void *arg, const struct running_descriptor *one);
	bool (*visit)(void *arg, const struct running_descriptor *one);
	void *arg;
};

/* Visits the descriptors of a process: those that are open all the time are not missed. The same end. */
void running_visit_descriptors(pid_t pid, int proc, const struct running_visitor *visitor);

/* Of several processes that stand still, zeroed at first: the mounts that the last of them sees. */
struct running_still {
	ino_t space; /* its mount namespace */
	int watch;   /* its list of mounts: poll(2) tells whether it has changed since */
	struct pool *pool;
	struct proc_mounts mounts;
	bool fuse; /* one of them is */
};

void running_still_done(struct running_still *still);
/* The same of one that runs yet: the list is long, and need not be read again if nothing is mounted meanwhile. */
void running_still_look(struct running_still *still, int proc);

/*
 * The same, for a process that stands still, as may the server of its files: the copy of a regular file could not be
 * closed before that one runs (FUSE_FLUSH), so files of FUSE are left out.
 */
void running_visit_still(pid_t pid, int proc, struct running_still *still, const struct running_visitor *visitor);

/* Visits all processes that are there, without a file of any; session and group by getsid(2) and getpgid(2), 0: those
 * of a pid namespace above. Ends early when visit() returns true. */
void running_visit_groups(bool (*visit)(void *arg, pid_t pid, pid_t session, pid_t group), void *arg);
