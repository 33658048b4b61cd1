/* SPDX-License-Identifier: GPL-2.0-only */
/* Files: what a descriptor refers to. One source file per kind, each with one struct file_kind. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "fdinfo.pb-c.h"
#include "kern/proc/fdinfo.h"
#include "plan/plan.h"
#include "session/session.h"

/* A file found open while dumping: our own copy of the descriptor and what /proc says about it. */
struct open_file {
	struct task *task;
	int task_fd;		/* the number over there, or -1: not from a descriptor table (mapping, exe, cwd, root) */
	int fd;			/* our copy; O_PATH for cwd, root, exe */
	struct stat stat;
	long fs_magic;		/* statfs f_type */
	const char *link;	/* "/srv/x", "anon_inode:[eventfd]", "pipe:[123]", "/tmp/y (deleted)" */
	struct fdinfo *fdinfo;	/* NULL when task_fd is -1 */
	uint32_t id;		/* in files.img */
	uint32_t flags;		/* O_*, without O_CLOEXEC */
	uint64_t pos;
	FownEntry *owner;	/* always there */
};

/* A file to be restored: one per open file description, however many descriptors point to it. */
struct file {
	const struct file_kind *kind;
	uint32_t id;
	FileEntry *entry;
	int fd;			/* our descriptor once created and while still needed, else -1 */
	unsigned users;		/* who has still to take it: descriptors, mappings, exe, cwd, root, queued messages */
	struct task *owner;	/* first task that has it in its table, NULL if only mapped or the like */
	int owner_fd;
	void *data;		/* of the kind, from r->pool */
};

/* Everything there is to know about one kind of file. One source file defines one of these: const struct file_kind NAME_kind. */
struct file_kind {
	const char *name;
	FdTypes type;				/* its tag in files.img ... */
	size_t entry;				/* ... and the FileEntry member with its record: offsetof(FileEntry, reg) */

	/* How to recognise it; all that are set must match; the first kind of the list that matches wins. */
	const char *anon_inode;			/* "[eventfd]": link is "anon_inode:[eventfd]" */
	long fs_magic;
	mode_t format;				/* S_IFIFO, ... */
	bool (*is)(const struct open_file *of);

	/* Dump: runs in the coordinator while the tree is stopped. */
	int (*collect)(struct dump *d);				/* once, before any file */
	int (*dump)(struct dump *d, const struct open_file *of, FileEntry *out); /* once per file; out->member is allocated and initialised */
	int (*drain)(struct dump *d, const struct open_file *of);	/* once per file, after dump: content waiting inside, must be put back or only peeked at */
	int (*finish)(struct dump *d);				/* once, after all files: shared records, own images */

	/* Restore, in this order. In brackets: which process. */
	int (*prepare)(struct restore *r);			/* [coordinator] once: load own images */
	int (*load)(struct restore *r, struct file *f);		/* [coordinator] check the record, nothing exists yet */
	int (*link)(struct restore *r, struct file *f);		/* [coordinator] find peers and referenced files (file_find, file_use) */
	int (*create)(struct restore *r, struct file *f);	/* [coordinator] make it: sets f->fd. May make others with it (both ends of a pipe) by setting their fd */
	int (*plan)(struct restore *r, struct file *f, struct plan *p);	/* [steps in f->owner] after all descriptors of all tasks are in place: epoll targets, ... */
	int (*settle)(struct restore *r, struct file *f);	/* [coordinator] all tasks are complete and not yet running */
	int (*clean)(struct restore *r);			/* [coordinator] once, at the end and on failure: remove what was made for the restore only */
};

extern const struct file_kind *const file_kinds[];	/* generated from src/object/meson.build, NULL-terminated; list order = matching order */

/* --- dump --- */

/* The id in files.img of an open file; dumps it if it is new. For descriptors, mappings, exe, cwd, root. of->id is set. */
int file_dump(struct dump *d, struct open_file *of);
/* All descriptor tables of the tree: fdinfo-*.img. */
int file_dump_tables(struct dump *d);
/* exe, cwd, root and mapped files: by an O_PATH or ordinary descriptor of ours and its link text; deduplicated by (dev, inode, mnt_id). Returns the id. */
int file_dump_path(struct dump *d, struct task *task, int fd, const char *link, uint32_t flags, uint32_t *ret_id);
int file_dump_finish(struct dump *d);			/* files.img and what kinds keep to the end */

/* --- restore --- */

int file_restore_load(struct restore *r);		/* files.img, fdinfo-*.img; load and link of all */
struct file *file_find(struct restore *r, uint32_t id);	/* NULL if not there */
/* One more user of the file, declared at load/link time; give it back with file_put() when done. */
int file_use(struct restore *r, uint32_t id, struct file **ret);
int file_get_fd(struct restore *r, struct file *f, int *ret_fd);	/* creates it on demand; ours, do not close */
void file_put(struct restore *r, struct file *f);	/* last user: our descriptor is closed */
/* Appends the steps that put all descriptors of a task's table in place, coordinator_fd is the pidfd for STEP_GETFD. Creates files. */
int file_plan_table(struct restore *r, struct task *task, struct plan *p);
/* After the plan of file_plan_table ran: gives the descriptors back. */
void file_table_done(struct restore *r, struct task *task);
int file_plan_late(struct restore *r, struct task *task, struct plan *p); /* kind->plan of all files owned by the task */
/* A descriptor number that is free in the task's table (and >= 3), for the pidfd of the coordinator. */
int file_free_number(struct restore *r, struct task *task);
int file_restore_settle(struct restore *r);
void file_restore_clean(struct restore *r);

/* --- common to kinds --- */

/* Flags that can be set on an open descriptor (O_APPEND, O_NONBLOCK, O_ASYNC, O_DIRECT, O_NOATIME) and the owner of signals. */
int file_apply_flags(int fd, uint32_t flags, const FownEntry *owner);
