/* SPDX-License-Identifier: GPL-2.0-only */
/* Files: what a descriptor refers to. One source file per kind, each with one struct file_kind. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "fdinfo.pb-c.h"
#include "ghost-file.pb-c.h"
#include "fs.pb-c.h"
#include "kern/proc/file-iter.h"
#include "kern/proc/fdinfo.h"
#include "session/session.h"

struct plan;

struct outline;

/* A file found open while dumping: our own copy of the descriptor and what /proc says about it. */
struct open_file {
	struct task *task;
	int task_fd;  /* the number over there, or -1: not from a descriptor table (mapping, exe, cwd, root) */
	int fd;	      /* our copy; O_PATH for cwd, root, exe; -1: none is needed (file_needs_no_copy()) */
	bool is_name; /* the copy is O_PATH, and the file is not */
	uint8_t told; /* what the task has said of the number (FD_FLAG_*); 0: it was not asked */
	/* What the kernel has told of all descriptors of the task at once, which stands still; NULL: nothing. */
	const struct file_facts *facts;
	struct stat stat;
	long fs_magic;	       /* statfs f_type */
	bool served;	       /* of a FUSE file system whose server is in the tree */
	uint64_t served_open;  /* of such a one, without a descriptor, but opened: mount_dump_fuse_mapped() */
	const char *link;      /* "/srv/x", "anon_inode:[eventfd]", "pipe:[123]", "/tmp/y (deleted)" */
	struct fdinfo *fdinfo; /* NULL for files without a descriptor; valid during dump and drain only */
	int mnt_id;
	bool cloexec;
	uint32_t id;	/* in files.img */
	uint32_t flags; /* O_*, without O_CLOEXEC */
	uint64_t pos;
	int domain;	  /* of a socket: AF_UNIX, ... */
	FownEntry *owner; /* always there */
};

/* A file to be restored: one per open file description, however many descriptors point to it. */
struct file {
	const struct file_kind *kind;
	uint32_t id;
	FileEntry *entry;
	int fd;		    /* our descriptor once created and while still needed, else -1 */
	unsigned users;	    /* who has still to take it: descriptors, mappings, exe, cwd, root, queued messages */
	struct task *owner; /* first task that has it in its table, NULL if only mapped or the like */
	int owner_fd;
	bool owner_cloexec;
	unsigned n_numbers; /* in how many places of how many tables */
	bool creating;	    /* core: create is running */
	bool made_there;    /* core: its owner makes it (twins) */
	bool remade;	    /* core: remake made another */
	bool remake_asked;
	bool awaited; /* link: a call in the background waits for it, and reads what is there when it is made again */
	bool pushed;  /* link: the same, and writes to it */
	bool lingers; /* link: the kernel lets go of the old one only a while after its last task is dead */
	const struct task *placed_in; /* core: the last task whose plan places it, and where */
	int placed_at;
	void *data; /* of the kind, from r->pool */
};

/* Two files that one call makes. */
struct file_twins {
	int call;  /* __NR_pipe2, or __NR_socketpair for unix sockets */
	int flags; /* O_* of pipe2(2), or the type of the sockets */
	mode_t mode;
	struct file *ends[2];
};

/* Everything there is to know about one kind of file. One source file defines one of these: const struct file_kind
 * NAME_kind. */
struct file_kind {
	const char *name;
	FdTypes type; /* its tag in files.img ... */
	size_t entry; /* ... and the FileEntry member with its record: offsetof(FileEntry, reg) */

	/* How to recognise it; all that are set must match; the first kind of the list that matches wins. */
	const char *anon_inode; /* "[eventfd]": link is "anon_inode:[eventfd]" */
	long fs_magic;
	mode_t format; /* S_IFIFO, ... */
	bool (*is)(const struct open_file *of);
	/* The same for records: kinds that share a type say which are theirs; the first kind of the list wins. NULL =
	 * all. */
	bool (*claims)(const FileEntry *entry);
	bool early; /* restore makes it before all others, which may stand on it */

	/* Dump: what is told of it (of->facts) and tables of the kernel tell all: no copy is needed, and of->fd is -1.
	 */
	bool (*is_told)(const struct dump *d, const struct open_file *of);

	/* Dump: runs in the coordinator while the tree is stopped. */
	int (*dump)(const struct dump *d, const struct open_file *of,
		    FileEntry *out); /* once per file; out->member is allocated and initialised */
	int (*drain)(struct dump *d, const struct open_file *of); /* once per file, after dump: content waiting inside,
								     must be put back or only peeked at */
	int (*finish)(const struct dump *d);			  /* once, after all files: shared records */
	int (*write)(struct dump *d); /* once, after all finish: own images, what changes something */

	/* Restore, in this order. In brackets: which process. */
	int (*prepare)(const struct restore *r);	      /* [coordinator] once: load own images */
	int (*load)(const struct restore *r, struct file *f); /* [coordinator] check the record, nothing exists yet */
	int (*link)(const struct restore *r,
		    struct file *f); /* [coordinator] find peers and referenced files (file_find, file_use) */
	int (*needs)(const struct restore *r,
		     struct file *f); /* [criu verify, instead of all that follows] needs_add() what must be there
					 outside of the images; refuse what is not as it must be (session/needs.h) */
	int (*copies)(const struct restore *r,
		      struct file *f); /* [coordinator] restore --copies: refuse what cannot be there several times */
	const char *(*describe)(
		const struct file *f,
		struct pool *pool); /* [criu verify] what it is in few words, if name does not say it well */
	/* [criu inspect] what is worth telling of it, besides this and its numbers */
	void (*inspect)(const struct restore *r, const struct file *f, struct outline *to);
	/* [coordinator] It and another one are as a task has them that has just made both. */
	bool (*twins)(struct restore *r, struct file *f, struct file_twins *ret);
	int (*create)(struct restore *r, struct file *f); /* [coordinator] make it: sets f->fd. May make others with it
							     (both ends of a pipe) by setting their fd */
	int (*remake)(struct restore *r, struct file *f,
		      int *ret_fd); /* [coordinator] all threads are there now: makes the file itself, if what
				create made only held its place, else returns -ENOENT. All tasks get it */
	int (*plan)(struct restore *r, struct file *f,
		    struct plan *p); /* [steps in f->owner; choose another in link] after all descriptors of all tasks
					are in place: epoll targets, ... */
	int (*settle)(struct restore *r, struct file *f); /* [coordinator] all tasks are complete and not yet running */
	int (*resume)(struct restore *r); /* [coordinator] once, at the very end: what cannot be taken back. Until then
					     a restore that fails can be repeated */
	int (*clean)(struct restore *r);  /* [coordinator] once, at the end and on failure: remove what was made for the
					     restore only */
};

extern const struct file_kind
	*const file_kinds[]; /* generated from src/object/meson.build, NULL-terminated; list order = matching order */

/* --- dump --- */
/* exe, cwd, root and mapped files: by their link in /proc/PID ("exe", "map_files/..."), and its text if that is known,
 * else NULL; deduplicated by (dev, inode, mnt_id, text). Returns the id. */
int file_dump_path(const struct dump *d, struct task *task, const char *name, const char *told, uint32_t flags,
		   uint32_t *ret_id);
/* For a mapped device that a plugin takes care of: only its path is saved. */
int file_dump_device_path(const struct dump *d, struct task *task, int fd, const char *link, uint32_t flags,
			  uint32_t *ret_id);
/* The plugins are asked to save a file that we cannot, which has the record ext; refuse_it() if none wants to. */
int file_dump_plugged(const struct dump *d, const struct open_file *of, FileEntry *out,
		      int (*refuse_it)(const struct open_file *of));
/* A descriptor that is not in the table of a task, e.g. received from a socket queue. It stays the caller's. */
int file_dump_loose(struct dump *d, struct task *task, int fd, uint32_t *ret_id);
/*
 * Work of a kind that changes or writes something for a file: run right after dump, unless no checkpoint can come of it
 * any more.
 */
void file_dump_save(const struct dump *d, int (*save)(struct dump *d, const struct open_file *of, void *arg),
		    void *arg);
/*
 * Work of a kind that needs nothing but a copy of the descriptor, done by several threads before the first phase
 * `finish`. run() may use the pool that it is given (not d->pool), arg must live as long, and nothing may depend on the
 * order. Failures are not passed over.
 */
int file_dump_later(const struct dump *d, const struct open_file *of, int (*run)(int fd, void *arg, struct pool *pool),
		    void *arg);

/* --- restore --- */
struct file *file_find(const struct restore *r, uint32_t id); /* NULL if not there */
/* Its current directory and its root, set by the part that restores them; NULL before. */
void file_set_directories(struct task *task, FsEntry *record);
const FsEntry *file_directories_of(const struct task *task);
/* At a number of the task's table, from link on; NULL if there is none. */
struct file *file_at_number(const struct restore *r, const struct task *task, uint32_t number);
/* One more user of the file, declared at load/link time; give it back with file_put() when done. */
int file_use(const struct restore *r, uint32_t id, struct file **ret);
int file_get_fd(struct restore *r, struct file *f, int *ret_fd); /* creates it on demand; ours, do not close */
/* For kinds whose inode has no name and is made anew: f->fd gets the owner and the mode of its record. */
int file_set_inode_owner(const struct restore *r, const struct file *f);
/*
 * What stat(2) does not show of an inode. Paths may be links in /proc/self/fd. Extended attributes and ACLs: what
 * cannot be read, or set, is a warning. Returns how many there are.
 */
size_t inode_read_xattrs(struct pool *pool, const char *path, GhostXattrEntry ***ret);
void inode_set_xattrs(const char *path, GhostXattrEntry *const *xattrs, size_t n);
/* How long what is written will live (F_SET_RW_HINT); 0 = nothing is said. */
uint32_t inode_read_write_hint(int fd);
void inode_set_write_hint(int fd, uint32_t hint);
/* The same when all tasks have their threads and descriptors: the file itself, not what held its place until then. */
int file_get_late_fd(struct restore *r, struct file *f, int *ret_fd);
/* Makes all files of plugins: their drivers may tell then where devices are to be mapped. */
int file_restore_plugged(struct restore *r);
/* Appends steps that fetch a descriptor of ours into the slot; the task needs nothing for it. Uses slot + 1 as well. */
void file_plan_fetch(struct restore *r, struct plan *p, int fd, unsigned slot);
void file_put(struct restore *r, struct file *f); /* last user: our descriptor is closed */
size_t file_count_descriptors(struct restore *r, const struct task *task);
struct file *const *file_restore_all(const struct restore *r, size_t *ret_n);

/* --- common to kinds --- */

/* Dump: one more entry of files.img beside those of open files; its record is allocated and initialised. */
FileEntry *file_add_entry(const struct dump *d, FdTypes type, size_t member);
/* Dump: the entries with these ids (0: none) trade places so that they stand in files.img in this order. */
void file_dump_reorder(const struct dump *d, const uint32_t *ids, size_t n);
/* Dump: all descriptors of all tables seen until now (each table once, under its first task). */
struct known_descriptor {
	struct task *task;
	int fd;
	uint32_t id;
	ino_t ino;
	FdTypes type;
	bool cloexec;
};
const struct known_descriptor *file_known_descriptors(const struct dump *d, size_t *ret_n);
/* The member of a FileEntry at offset kind->entry. */
#define file_record(entry, type, offset) (*(type **)((char *)(entry) + (offset)))

/* Dump: the file of a descriptor of this BPF map, one for reading and writing if it is to be mapped so. When all
 * descriptors are known. */
bool file_find_bpf_map(const struct dump *d, uint32_t map, bool writable, uint32_t *ret_id);

/* Dump: a mapping that is watched by a userfaultfd. Refused if it is not clear by which. When all descriptors are
 * known. */
int file_dump_watched(const struct dump *d, struct task *task, const struct mapping *m);

/* Flags that can be set on an open descriptor (O_APPEND, O_NONBLOCK, O_ASYNC, O_DIRECT, O_NOATIME) and the signal of
   the owner, if one is given; who it is follows when all tasks are there. */
int file_apply_flags(int fd, uint32_t flags, const FownEntry *owner);
/* The same, if it is known which flags (O_*) it has. */
int file_change_flags(int fd, int old, uint32_t flags, const FownEntry *owner);
