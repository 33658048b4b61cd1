/* SPDX-License-Identifier: GPL-2.0-only */
/* Files: what a descriptor refers to. One source file per kind, each with one struct file_kind. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "fdinfo.pb-c.h"
#include "fs.pb-c.h"
#include "kern/proc/fdinfo.h"
#include "plan/plan.h"
#include "session/session.h"

/* A file found open while dumping: our own copy of the descriptor and what /proc says about it. */
struct open_file {
	struct task *task;
	int task_fd; /* the number over there, or -1: not from a descriptor table (mapping, exe, cwd, root) */
	int fd;	     /* our copy; O_PATH for cwd, root, exe */
	struct stat stat;
	long fs_magic;	       /* statfs f_type */
	const char *link;      /* "/srv/x", "anon_inode:[eventfd]", "pipe:[123]", "/tmp/y (deleted)" */
	struct fdinfo *fdinfo; /* NULL for files without a descriptor; valid during dump and drain only */
	int mnt_id;
	bool cloexec;
	uint32_t id;	/* in files.img */
	uint32_t flags; /* O_*, without O_CLOEXEC */
	uint64_t pos;
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
	bool remade;	    /* core: remake made another */
	bool remake_asked;
	const struct task *placed_in; /* core: the last task whose plan places it, and where */
	int placed_at;
	void *data; /* of the kind, from r->pool */
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
	const char *(*describe)(
		const struct file *f,
		struct pool *pool); /* [criu verify] what it is in few words, if name does not say it well */
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

int file_dump_begin(struct dump *d);
int file_dump_collect(const struct dump *d);
/* The id in files.img of an open file; dumps it if it is new. For descriptors, mappings, exe, cwd, root. of->id is set.
 */
int file_dump(struct dump *d, struct open_file *of);
/* All descriptor tables of the tree. */
int file_dump_tables(const struct dump *d);
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
/* This descriptor of ours is closed at the end of the dump. */
void file_dump_keep(const struct dump *d, int fd);
/*
 * Work of a kind that needs nothing but a copy of the descriptor, done by several threads before the first phase
 * `finish`. run() may use the pool that it is given (not d->pool), arg must live as long, and nothing may depend on the
 * order. Failures are not passed over.
 */
int file_dump_later(const struct dump *d, const struct open_file *of, int (*run)(int fd, void *arg, struct pool *pool),
		    void *arg);
int file_dump_finish(const struct dump *d); /* what kinds keep to the end */
int file_dump_write(struct dump *d);	    /* files.img */
void file_dump_end(struct dump *d);	    /* after a failure, names that were made go */

/* --- restore --- */

int file_restore_load(const struct restore *r);		      /* files.img; load of all */
int file_restore_link(const struct restore *r);		      /* fdinfo-*.img; link of all */
struct file *file_find(const struct restore *r, uint32_t id); /* NULL if not there */
/* Its current directory and its root, set by the part that restores them; NULL before. */
void file_set_directories(struct task *task, FsEntry *record);
const FsEntry *file_directories_of(const struct task *task);
/* One more user of the file, declared at load/link time; give it back with file_put() when done. */
int file_use(const struct restore *r, uint32_t id, struct file **ret);
int file_get_fd(struct restore *r, struct file *f, int *ret_fd); /* creates it on demand; ours, do not close */
/* The same when all tasks have their threads and descriptors: the file itself, not what held its place until then. */
int file_get_late_fd(struct restore *r, struct file *f, int *ret_fd);
/* Makes all files of plugins: their drivers may tell then where devices are to be mapped. */
int file_restore_plugged(struct restore *r);
void file_put(struct restore *r, struct file *f); /* last user: our descriptor is closed */
/* Appends the steps that put all descriptors of a task's table in place, coordinator_fd is the pidfd for STEP_GETFD.
 * Creates files. */
int file_plan_table(struct restore *r, struct task *task, struct plan *p);
/* After the plan of file_plan_table ran: gives the descriptors back. */
void file_table_done(struct restore *r, struct task *task);
int file_plan_late(struct restore *r, struct task *task,
		   struct plan *p); /* kind->plan of all files owned by the task; terminals, locks */
/* Appends steps that fetch a descriptor of ours into the slot; the task needs nothing for it. Uses slot + 1 as well. */
void file_plan_fetch(struct restore *r, struct plan *p, int fd, unsigned slot);
/* Chooses the numbers of the pidfds of the coordinator: r->us, task->restore->coordinator_fd. */
int file_restore_choose_numbers(struct restore *r);
int file_restore_settle(struct restore *r);
int file_restore_resume(struct restore *r); /* the phase `resume` of all kinds */
/* criu verify: the phase `needs` of all files and of locks; all files, in the order of the image. */
int file_restore_needs(const struct restore *r);
size_t file_count_descriptors(struct restore *r, const struct task *task);
struct file *const *file_restore_all(const struct restore *r, size_t *ret_n);
void file_restore_clean(struct restore *r);

/* --- common to kinds --- */

/* Dump: one more entry of files.img beside those of open files; its record is allocated and initialised. */
FileEntry *file_add_entry(const struct dump *d, FdTypes type, size_t member);
/* Dump: the entries with these ids (0: none) trade places so that they stand in files.img in this order. */
void file_dump_reorder(const struct dump *d, const uint32_t *ids, size_t n);
/* Dump: reads of->fdinfo again, after something was done to the file. */
int file_read_again(const struct open_file *of);
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
/* Dump: the id of a descriptor of a task, 0 if it is not (yet) known. */
uint32_t file_find_dumped(struct dump *d, struct task *task, int fd);
/* The member of a FileEntry at offset kind->entry. */
#define file_record(entry, type, offset) (*(type **)((char *)(entry) + (offset)))

/* Dump: a mapping that is watched by a userfaultfd. Refused if it is not clear by which. When all descriptors are
 * known. */
int file_dump_watched(const struct dump *d, struct task *task, const struct mapping *m);

/* Restore: the file at a number of the task's table, NULL if there is none. */
struct file *file_at_number(const struct restore *r, const struct task *task, uint32_t number);
/* Restore, at link: the pidfd of the coordinator gets another number. */
void file_reserve_number(const struct restore *r, const struct task *task, uint32_t number);
bool file_cloexec_at(struct restore *r, const struct task *task, uint32_t number);
/* Restore, at load or link: the signal owner is set when all tasks are there. Done by the core for records with a
 * member fown. */
int file_own_later(const struct restore *r, struct file *f, const FownEntry *owner);

/* Flags that can be set on an open descriptor (O_APPEND, O_NONBLOCK, O_ASYNC, O_DIRECT, O_NOATIME) and the signal of
   the owner, if one is given; who it is follows when all tasks are there. */
int file_apply_flags(int fd, uint32_t flags, const FownEntry *owner);
/* The owner of signals: F_GETOWN_EX and friends into owner (initialised). */
int file_read_owner(const struct dump *d, int fd, FownEntry *owner);
int file_apply_owner(const struct restore *r, int fd, const FownEntry *owner);
/* Restore: calls make() as the user whose file it is: some objects count against the limits of who makes them. Returns
   its result, a descriptor or -errno, not logged. */
int file_make_as_user(const struct restore *r, const struct file *f, int (*make)(const struct file *f));
