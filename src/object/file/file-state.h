/* SPDX-License-Identifier: GPL-2.0-only */
/* What a dump and a restore keep of all files. Kinds do not include it. */
#pragma once

#include "base/vector.h"
#include "fh.pb-c.h"
#include "file-lock.pb-c.h"
#include "kern/proc/mountinfo.h"
#include "object/file/file.h"

/* A name that was made for the dump, and the root directory it begins in (mount_dump_root_of()). */
struct made_link {
	const char *name;
	int root;
	int fd; /* the file, a copy of ours */
};

/* What is to be saved of a file when its kind has looked at it. */
struct file_saving {
	int (*save)(struct dump *d, const struct open_file *of, void *arg);
	void *arg;
};

/* A file that was dumped. */
struct dumped {
	uint32_t id;
	FdTypes type;
	ino_t ino; /* as stat(2) tells */
};

/* An inode that is watched and has no path. */
struct watched_inode {
	FhEntry *record;
	dev_t dev;
	ino_t ino;
	pid_t pid; /* who watches it */
	int fd;
	const char *comm;
};

struct walked;

struct file_dump {
	uint32_t last_id;
	struct kcmp_tree *identities;
	VECTOR(struct dumped *) dumped; /* by number in identities - 1 */
	struct table *descriptors;	/* files_id, number → struct dumped */
	struct table *told;		/* file_facts.file → struct dumped, of those that stand still */
	struct table *paths;		/* hash of dev, ino, mnt_id → struct dumped_path */
	VECTOR(FileEntry *) entries;
	VECTOR(struct known_descriptor) known;
	VECTOR(struct made_link) links;	    /* names that were made for the dump */
	VECTOR(int) loose;		    /* copies of ours, kept for kcmp, or by kinds */
	VECTOR(struct file_saving) savings; /* of the files that are being dumped */
	VECTOR(struct file_later) later;
	VECTOR(struct pool *) later_pools; /* one for each worker */
	VECTOR(FileLockEntry *) locks;
	struct table *locks_seen;
	dev_t pipe_dev, socket_dev, anon_dev; /* of pipefs, sockfs, anonymous inodes; 0 while unknown */
	unsigned lock_questions;
	bool has_odd_locks;
	dev_t last_dev; /* the file system that was asked last, and what it is; 0 = none yet */
	long last_magic;
	struct proc_mounts mounts; /* of notify/handle.c: read once */
	struct table *inodes;	   /* dev, ino → id of an entry with a path */
	VECTOR(struct watched_inode) watched;
	VECTOR(struct walked *) walked; /* of notify/path.c */
};

/* A descriptor table to be restored. */
struct descriptor_table {
	uint32_t files_id;
	size_t n;
	FdinfoEntry **entries; /* rising numbers */
	struct file **files;
	uint32_t reserved; /* numbers below are not to be used for other things */
	bool done;
};

struct late_owner {
	struct file *file;
	const FownEntry *owner;
};

struct file_set {
	struct table *by_id;  /* struct file */
	struct table *tables; /* files_id → struct descriptor_table */
	VECTOR(struct file *) files;
	VECTOR(struct late_owner) owners;
	VECTOR(FileLockEntry *) locks;
	bool early_made;
};

/* Work that is put off until there is enough for all workers, or it is needed. */
struct file_later {
	int fd; /* a copy of ours */
	pid_t pid;
	int task_fd;
	int (*run)(int fd, void *arg, struct pool *pool);
	void *arg;
};
