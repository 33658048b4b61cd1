/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Namespaces: one struct namespace_kind per kind (pid, net, ipc, uts, time, mnt, user, cgroup), one struct namespace
 * for each namespace that a task of the tree lives in. How they go together is told in docs/NAMESPACES.md.
 *
 * How a kind plugs in: its file src/object/namespace/NAME.c defines NAME_kind and stands in the list namespace_kinds of
 * src/object/meson.build. A kind without `dump` has no support: a tree that lives in a namespace of that kind that is
 * not criu's own is refused, by name, on dump and on restore. With `dump` and `fill` it is dumped into its own images,
 * named by ns->id, and filled again. All that the kind wants to remember of one namespace hangs at ns->data, from
 * d->pool or r->pool.
 *
 * What happens inside a namespace that is not ours is done by namespace_run(): a C function of the coordinator, with
 * all its memory and descriptors, on a thread of its own in that namespace.
 */
#pragma once

#include <time.h>

#include "base/vector.h"
#include "creds.pb-c.h"
#include "kern/proc/running.h"
#include "session/session.h"

struct outline;
struct plan;
struct namespace;

struct namespace_kind {
	const char *name; /* in /proc/PID/ns */
	uint32_t flag;	  /* CLONE_NEW* */
	size_t id;	  /* offset of its id in TaskKobjIdsEntry ... */
	size_t has_id;	  /* ... and of that id's presence */
	bool joinable;	  /* --join-ns may name one */
	bool implied;	  /* every tree has one after a restore: scripts and clients don't hear of it */
	bool nested;	  /* a tree may live in several: a task in another one than the root can be restored */
	bool keepable;	  /* one in which no task lives can be saved: a mounted file or a descriptor keeps it */

	/*
	 * Dump: [coordinator] the tree is stopped. Each is called once for every namespace
	 * of the kind that is not criu's own, in the order in which they were found.
	 */
	int (*found)(const struct dump *d, struct namespace *ns);   /* at once: what everything else is translated by */
	int (*collect)(const struct dump *d, struct namespace *ns); /* before files and memory: read what they need to
								 know; refuse what cannot be saved */
	int (*dump)(struct dump *d, struct namespace *ns);	    /* after all of them: write the images. */

	/* Restore: [coordinator], in this order, the kinds in the order of their list. Once for each namespace that is
	 * not criu's own. */
	/*
	 * The root task lived in that of the criu that dumped it: 1 if it shall have one of its own all the same, which
	 * is then as if the images had said so, but is not loaded.
	 */
	int (*adopt)(const struct restore *r, struct namespace *ns);
	int (*load)(const struct restore *r, struct namespace *ns); /* read and check the images; nothing exists yet */
	/* Instead of that, if --join-ns gives another one; then the phases that follow come as well. NULL: none does.
	 */
	int (*join)(const struct restore *r, struct namespace *ns);
	int (*needs)(const struct restore *r,
		     struct namespace *ns); /* criu verify, instead of what follows: session/needs.h */
	void (*inspect)(const struct namespace *ns, struct outline *to); /* criu inspect: what is worth telling */
	/*
	 * Make it before the root task and set ns->fd; the root enters it by setns(2), and so do all others. Without
	 * `make`, or if ns->fd is not set afterwards, the root task is born into it (clone3 with the flag), and those
	 * of other tasks are made by unshare(2).
	 */
	int (*make)(struct restore *r, struct namespace *ns);
	/*
	 * If the tree has a user namespace of its own, which shall own this one, it is made in there when the root task
	 * has been born; the root enters it by its first steps.
	 */
	bool made_inside;
	int (*born)(struct restore *r,
		    struct namespace *ns); /* the root task has been born into it, and has done nothing yet */
	int (*fill)(
		struct restore *r,
		struct namespace *ns); /* it exists, empty; the root task is the only one, with nothing of its own */
	int (*settle)(struct restore *r, struct namespace *ns); /* all tasks are complete, none runs */
	void (*clean)(struct restore *r,
		      struct namespace *ns); /* at the end, and after a failure at any point from load on */
};

/* Initialisers of .name, .flag, .id and .has_id: NAMESPACE_KIND("uts", CLONE_NEWUTS, uts_ns_id) */
#define NAMESPACE_KIND(text, clone_flag, member)                                        \
	.name = (text), .flag = (clone_flag), .id = offsetof(TaskKobjIdsEntry, member), \
	.has_id = offsetof(TaskKobjIdsEntry, has_##member)

struct namespace
{
	const struct namespace_kind *kind;
	uint32_t id;	   /* in the images: names its files */
	bool own;	   /* that of the criu that dumped (on restore: of the criu that restores): nothing to do */
	bool of_root;	   /* the root task lives in it */
	struct task *task; /* the first of the tree that lives in it; NULL while nobody does: criu's own, some user
			      namespaces that own others, and those that are only kept */
	bool kept;	   /* by a mounted file or a descriptor: no task lives in it (kept.c) */
	ino_t inode;	   /* dump: of /proc/PID/ns/NAME */
	int fd;	     /* restore: a descriptor of it as soon as it exists; -1 if own or not yet. Dump: of the kind, or if
			nobody lives in it. Closed at the end */
	bool joined; /* it is as it is, and has none of its phases, and no data, unless the kind has `join`. Restore:
			--join-ns gives another one; kept: outside of the tree as well */
	const struct opt_join_ns *option; /* which gives it */
	struct namespace *owner; /* a user namespace within that of the root, to which it belongs, or around this one;
				    NULL: to no such */
	struct broker *broker;	 /* restore: of such a user namespace */
	bool made_first;	 /* restore: the root task enters it, it is not born with it */
	void *data;		 /* of the kind */
};

struct namespace_set {
	VECTOR(struct namespace *) list;
	uint32_t last_id;
	struct running_still still; /* dump: the mounts that tasks see */
	dev_t nsfs;		    /* dump: st_dev of all files of namespaces */
	bool any;		    /* one is not criu's own */
	bool adopted;		    /* restore: one was, and is to be made all the same */
	bool announced; /* restore: scripts and clients hear of them: it is not only the clocks, which every tree has
			   after a restore */
};

extern const struct state_type namespace_state;
/* The set of a session; NULL before it is made (restore: before the tasks are loaded) and after restore/clean. */
struct namespace_set *dump_namespaces(const struct dump *d);
struct namespace_set *restore_namespaces(const struct restore *r);

/* The registry, generated from src/object/meson.build; in the order in which the format numbers criu's own.
 * NULL-terminated. */
extern const struct namespace_kind *const namespace_kinds[];

/* By CLONE_NEW*; it is there. */
const struct namespace_kind *namespace_kind_find(uint32_t flag);
/* The namespace of this kind that a task lives in. NULL for a zombie, or if the kernel (or an older image) has none of
 * that kind. */
struct namespace *namespace_of(const struct namespace_set *set, const struct task *task,
			       const struct namespace_kind *kind);
/* That of the root task. True if there is one that is not criu's own; ret may be NULL. */
bool namespace_of_root(const struct namespace_set *set, const struct task_tree *tree, uint32_t flag,
		       struct namespace **ret);
/* A task lives in it, or it is kept. */
static inline bool namespace_is_held(const struct namespace *ns)
{
	return ns->task || ns->kept;
}

#define for_each_namespace(ns, set) \
	for (size_t i_ = 0; i_ < (set)->list.n && ((ns) = (set)->list.items[i_], true); i_++)

/* --- inside of namespaces (run.c) --- */

/*
 * Runs a function of ours on a thread of its own whose namespaces are those of the process behind the directory
 * /proc/PID (task->dump->proc, task->restore->proc), as far as flags has their CLONE_NEW* flags. It shares our memory
 * and our descriptor table, but has its own directories, umask and credentials; with CLONE_NEWNS its root and working
 * directory are those of the namespace. The calling thread sleeps meanwhile, so everything may be used, the log and
 * malloc too, but no ptrace on tasks of the tree, and nothing that changes all threads of a process (setuid() and the
 * like). With CLONE_NEWPID it has a pid in that namespace for the time. With CLONE_NEWUSER it has all capabilities
 * there. Returns what work returns; -EIO, logged, if it died.
 */
int namespace_run(int proc, uint32_t flags, int (*work)(void *arg), void *arg);
/* Restore: the directory in /proc of a process in the user namespace that it shall belong to, and the flag to enter
 * that with; 0 if it is ours. */
int namespace_open_owner(struct restore *r, const struct namespace *ns, uint32_t *ret_flag);
/* Dump: the same in this namespace and, by flags, in others of the task that lives in it. With CLONE_NEWUSER, if no
 * task lives in it: in the user namespace that owns it. */
int namespace_run_on(const struct namespace *ns, uint32_t flags, int (*work)(void *arg), void *arg);
/* Dump: a descriptor of it; -errno, logged. */
int namespace_open(const struct namespace *ns);
/* The same in one namespace of a restore, made already: enters the user namespace of the root task first, if it has
 * one. */
int namespace_run_in(struct restore *r, const struct namespace *ns, int (*work)(void *arg), void *arg);
/* For work: the user namespace of the process as well, from now on. */
int namespace_enter_user(int proc);
/* A namespace file of the calling thread itself, for work: "uts" gives a descriptor of the uts namespace that it is in.
 * -errno, logged. */
int namespace_open_own(const char *name);

/* --- those in which no task of the tree lives, which a mounted file or a descriptor keeps (kept.c) --- */

/* Dump: that of this kind and inode; NULL: no task of the tree lives in it, and it is not known to be kept. */
struct namespace *namespace_find_kept(const struct dump *d, const struct namespace_kind *kind, ino_t inode);
/*
 * Dump: one that is not known yet, by its file, which is taken. Before `collect` of its kind. ret_why: why it cannot be
 * saved, result -EOPNOTSUPP; else it is NULL.
 */
int namespace_keep(const struct dump *d, int *fd, struct namespace **ret, const char **ret_why);
/* Why descriptors of it were not found worth keeping. */
const char *namespace_why_lost(const struct dump *d, int fd);
/* Restore: a descriptor of a namespace of the images, by kind and number; criu's own is opened. -errno, logged. */
int namespace_restore_open(const struct restore *r, const struct namespace_kind *kind, uint32_t id);
/* Whether there will be one. */
bool namespace_restore_has(const struct restore *r, const struct namespace_kind *kind, uint32_t id);

/* --- of kinds --- */

/* Restore: pid namespaces within that of the tree (task/pid-space.h). A descriptor; NULL: of that of the tree. */
int pid_space_file(struct restore *r, const struct pid_space *space);
/* Steps: children of this task are born there from now on. */
void pid_space_plan_enter(struct restore *r, int file, struct plan *plan);
/* The user namespace within that of the root that it belongs to; NULL: to no such. */
const struct namespace *pid_space_owner(const struct restore *r, const struct pid_space *space);
/* From now on children of this thread are born into this pid namespace, or into the one that the user gives for the
 * tree, if any; ret_home is for the way back, -1: there is none. */
int pid_space_enter(int file, int *ret_home);
int pid_given_enter(struct restore *r, int *ret_home);
int pid_space_leave(int home);
/* Restore: what must be added to our clock, in ns, to get that of a task. */
int64_t time_shift(const struct restore *r, const struct task *task, clockid_t clock);
/* ns, to be added to the clocks of the host. */
struct time_offsets {
	int64_t monotonic, boottime;
};
/* Of the time namespace that children of the task behind /proc/PID will be in: its own, unless it asked for another. */
int time_offsets_for_children(int proc, struct time_offsets *ret);
/* Of its own. */
int time_offsets_inside(int proc, struct time_offsets *ret);
/* As long as nobody is in the namespace for its children. */
int time_offsets_write(int proc, const struct time_offsets *offsets);

/* Restore: a descriptor of a new user namespace with these maps, in which nobody lives. */
int namespace_make_users(struct restore *r, const char *users, const char *groups, int *ret_fd);

/* Ids that the root of the tree sees, as a user namespace within that of it does (NULL: that of the root);
 * NO_ID: it has no number there. */
uint32_t user_inner_uid(const struct namespace *ns, uint32_t uid);
uint32_t user_inner_gid(const struct namespace *ns, uint32_t gid);
/* Whether who lives there and has the ones can take the others. */
bool user_can_take(const struct namespace *ns, const CredsEntry *from, const CredsEntry *to);
/* Dump: ids that nobody could give back. */
int user_check_ids(const struct dump *d, const struct thread *thread);
/* Restore: that which a task, or a helper, is in by now; NULL: that of the root. */
const struct namespace *user_now(const struct restore *r, const struct task *task);

/* --- the moments (namespace.c) --- */

/* Makes the set, with our own; their numbers to d->inventory->root_ids. */
int namespaces_dump_begin(struct dump *d);
int namespaces_dump_prepare(struct dump *d);
/* One more, which nobody is known to live in yet. */
struct namespace *namespaces_dump_add(const struct dump *d, const struct namespace_kind *kind, ino_t inode);
/* Sets the namespace ids of task->ids; refuses namespaces that cannot be saved. */
int namespaces_dump_task(const struct dump *d, struct task *task);
/* Refuses a thread that lives elsewhere than its process. */
int namespaces_dump_thread(const struct dump *d, struct thread *thread);
int namespaces_dump_collect(const struct dump *d);
int namespaces_dump_write(struct dump *d);

/* --- (midwife.c) --- */
/* First of all: nothing but the calling thread is there yet. It may return in a child, which goes on in our place. */
int namespaces_restore_begin(struct restore *r);
/* Whose child the root task will be, as we see it. */
pid_t namespaces_root_parent(const struct restore *r);

/* --- (restore.c) --- */
/* The last that it enters: a user namespace within that of the root. From there nothing outside can be made. */
int namespaces_plan_users(struct restore *r, struct task *task, struct plan *plan);
/* A task was born: it is in the user namespace of its creator, with its ids. */
void namespaces_born_like(struct task *task, const struct task *creator);
/* Whether it lives in one within that of the root. */
bool namespaces_is_inside(const struct restore *r, const struct task *task);
/* Whether the creator would have to be outside of the user namespace that it lives in to make the task. */
bool namespaces_want_outside(const struct restore *r, const struct task *task, const struct task *creator);
