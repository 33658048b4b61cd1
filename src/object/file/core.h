/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the core of this family share: file.c, descriptors.c and their restore sides. Kinds do not include
 * it. */
#pragma once

#include "base/table.h"
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
	dev_t pipe_dev, socket_dev; /* of pipefs and sockfs; 0 while unknown */
	bool locks_asked, has_odd_locks;
	dev_t last_dev; /* the file system that was asked last, and what it is; 0 = none yet */
	long last_magic;
	struct proc_mounts mounts; /* of handle.c: read once */
	struct table *inodes;	   /* dev, ino → id of an entry with a path */
	VECTOR(struct watched_inode) watched;
	VECTOR(struct walked *) walked; /* of notify/path.c */
};

/* NULL before dump/begin. */
struct file_dump *file_dump_of(const struct dump *d);

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

/* NULL before restore/load and after restore/clean. */
struct file_set *file_set_of(const struct restore *r);

/* Collects what is known about of->task_fd (or of->fd, if that is a descriptor of ours) beside the copy itself. info
   reads the fdinfo of the process that has the number; of->fdinfo points to it. */
int file_describe(struct open_file *of, struct fdinfo *info);
/* The same of what is always the same in fdinfo, pipes and sockets: without reading it. False: it is something else.
   flags: what the task has said of the number (FD_FLAG_*). */
bool file_describe_plain(const struct dump *d, struct open_file *of, struct fdinfo *info, uint8_t flags);
/* The same for a file without a descriptor of a task: what is known of of->fd alone. */
int file_describe_path(struct open_file *of);
/* The id of a file of the tree with a path that is this inode, 0 if there is none. All must have been dumped. */
uint32_t file_find_inode(const struct dump *d, dev_t dev, ino_t ino);
/* As file_dump(), and what it was found to be. */
/* Returns 1 if it was not seen before, else 0. */
int file_dump_known(const struct dump *d, struct open_file *of, struct dumped **ret);
/* It was not: of->link may be NULL. */
int file_dump_new(const struct dump *d, struct open_file *of, struct dumped *dumped);

/* later.c: work that is put off until there is enough for all workers, or it is needed. */
struct file_later {
	int fd; /* a copy of ours */
	pid_t pid;
	int task_fd;
	int (*run)(int fd, void *arg, struct pool *pool);
	void *arg;
};
int file_run_later(const struct dump *d);
/* fdinfo-*.img. */
int file_write_tables(struct dump *d);
void file_later_done(struct file_dump *files); /* what is still to be done is forgotten */

/* notify/path.c: forgets where inodes were found. */
void path_forget_walks(struct file_dump *files);

extern const struct file_kind external_kind;

/* external.c: the user provides this one. */
bool file_is_given(const struct dump *d, const struct open_file *of);
/* Names keys of --external that no kind looks for. */
void file_check_external(const struct options *options);

/* The record of an entry, found by the offset of the member. */
const ProtobufCMessageDescriptor *file_member_type(size_t member);
int file_load_tables(const struct restore *r);
struct descriptor_table *file_table_of(const struct restore *r, const struct task *task);
