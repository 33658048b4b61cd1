/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every phase of a dump or of a restore is given. No kinds, no order of things: what a family keeps hangs at
 * ->states (session/state.h), and only the family knows it. tools/check-sessions.py watches over that.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/deadline.h"
#include "base/pool.h"
#include "kern/kcmp.h"
#include "kern/proc/maps.h"
#include "kern/proc/stat.h"
#include "kern/proc/status.h"
#include "kern/task-iter.h"
#include "options/options.h"
#include "session/state.h"
#include "task/task.h"

struct copy;
struct id_maps;
struct listener;
struct meter;
struct plugins;
struct proc_sleep;
struct stats;
struct table;
struct file_iter;
struct task_iter;
struct workers;

/* Address space that is the same in all tasks of a restore while they are made; sparse. */
#define ARENA_SIZE   (1ull << 30)
#define ARENA_SMALL  (1ull << 26) /* where 32-bit programs leave no more */
#define PARKING_SIZE (1ull << 20)

/* Registers of a thread as they are put back: opaque outside arch/. */
struct arch_thread_state;

/*
 * With whom a thread is known to share: the leader of its process, which may share with the leader of the tree. NULL:
 * that is not known, and who wants to know looks.
 */
struct shared_objects {
	const struct thread *namespaces; /* all but user and pid; also those for children */
	const struct thread *cgroups;
	const struct thread *files, *fs; /* CLONE_FILES, CLONE_FS */
};

struct thread_dump {
	const struct task_own *own; /* what the kernel tells of many at once; NULL: it is to be read */
	/* It is not asked itself, dump/told instead of dump/ask and dump/answer: all that is not in own is as in this
	   thread of its process, which is asked and stands before it in the list (credentials, flags). NULL: it is. */
	const struct thread *like;
	struct proc_status status; /* of this thread (/proc/PID/task/TID/status) */
	bool held;		   /* it stands in a ptrace stop of ours */
	struct shared_objects shares;
	uint64_t sigmask;
	struct arch_thread_state *state; /* registers to go home with */
	struct arch_thread_state *alone; /* the same, with an interrupted call to be made again */
	struct proc_sleep *sleep;	 /* in which it was before we came, if it has a time limit; else NULL */
	struct states states;
};

/*
 * Numbers that are the same for the same object of the kernel, and only then; all 0 unless they are known of all tasks
 * of the tree. For kcmp_id(), which makes no system call then.
 */
struct object_hints {
	uint64_t memory, files, fs, handlers;
};

struct task_dump {
	struct object_hints hints;
	int proc; /* directory /proc/PID */
	int pidfd;
	struct proc_stat stat;
	struct mappings mappings;
	bool new;	   /* asked to stop, not yet waited for */
	bool last;	   /* to be asked when all others stand still: they may wait for it */
	bool stood_still;  /* when all threads were looked at */
	bool was_stopped;  /* group-stopped before we came, by stop_signal */
	bool released;	   /* it runs again */
	bool looked_aside; /* what others tell of it, while it tells the rest, is known: dump/aside */
	bool can_tell;	   /* what is seen from outside is known: its threads are still to be asked */
	bool unstopped;	   /* it could not be stopped and is only looked at (session/survey.h) */
	int stop_signal;
	struct mapping *leftovers; /* memory of a criu that was killed; not among the mappings */
	size_t n_leftovers;
	int trackers[8]; /* descriptors that are none of the program's: kern/track.h */
	unsigned n_trackers;
	const uint8_t *fd_flags; /* FD_FLAG_* of each number of its descriptor table, as it says; NULL: not asked */
	size_t n_fd_flags;
	uint32_t first_with_files; /* own pid if it is the first task with this descriptor table, else 0 */
	struct states states;
};

/* How far a session is, and in which mode: of src/engine and src/flow; hooks don't ask for it (session/survey.h). */
struct progress {
	struct deadline deadline; /* of the phase that runs */
	struct table *passed;	  /* phases that were announced */
	struct dump *acting;	  /* the session itself, for phase_acting_dump() */
	bool only_look;		  /* no checkpoint comes of it: nothing is changed, drained or locked */
	bool tasks_run;		  /* from the beginning, and the tasks run meanwhile */
	int obstacle;		  /* the first refusal that was passed over, else 0 */
	int damage;		  /* criu verify: the first failure that was passed over, else 0 */
};

/* What is found out about the whole tree while looking, and all must know. */
struct facts {
	bool inner_pids;	   /* it has a pid namespace of its own: session/pids.h */
	unsigned pid_level;	   /* how deep that is, as we see it */
	ino_t pid_namespace;	   /* dump: its inode */
	const struct id_maps *ids; /* of its own user namespace: session/ids.h; NULL: it has the ids that we see */
	bool inner_users;	   /* restore: tasks have user namespaces within that of the root */
	bool own_network;	   /* it has a network of its own, which scripts may cut off */
	bool network_first;	   /* restore: it has devices that must be there before scripts bring theirs */
	bool own_ipc;		   /* restore: the same for System V objects */
	bool announced;		   /* restore: scripts and clients hear of its namespaces */
	/* restore: the supplementary groups of new tasks, as they see them, until they get their own */
	const uint32_t *groups;
	size_t n_groups;
};

/*
 * A phase that looks is given a const session: it cannot write images (dump_store()) nor call what acts. What it finds
 * out goes into records, its own state and ->facts.
 */
struct dump {
	const struct options *options;
	struct dump_output *output; /* dump_store() */
	struct task_tree *tree;
	struct pool *pool; /* records live here */
	struct progress *progress;
	struct facts *facts;
	struct workers *workers;
	struct task_iter *task_iter; /* kern/task-iter.h */
	struct file_iter *file_iter; /* kern/proc/file-iter.h */
	struct stats *stats;
	struct meter *meter;	   /* of memory that is saved */
	struct plugins *plugins;   /* NULL before they are loaded */
	struct listener *listener; /* the client of the service; NULL: nobody listens */
	struct inventory *inventory;
	bool was_frozen;   /* the cgroup of --freeze-cgroup, before we came */
	bool left_stopped; /* the dump has succeeded, its tasks stay stopped */
	unsigned n_taken;  /* objects that were read by taking them away and are not put back: the tasks must not run on
			      as if nothing was */
	struct parasite_cache *parasite_cache;
	struct parasite_watch *watch; /* NULL: nobody takes our memory out of the tasks, should we be killed */
	struct kcmp_tree *kcmp_vm, *kcmp_files, *kcmp_fs, *kcmp_sighand;
	struct states *states;
};

struct thread_restore {
	struct arch_thread_state *state;
	bool has_parts; /* the plan of restore/plan has run already, when it was made */
};

struct task_restore {
	int proc; /* directory /proc/PID of the new task, -1 before it exists */
	int pidfd;
	int coordinator_fd;   /* number, in the task, of a pidfd of the coordinator (STEP_GETFD) */
	struct task *creator; /* who clones it: the parent, or a sibling with CLONE_PARENT; NULL: criu */
	bool by_sibling;
	bool early;   /* is made before its creator leaves its first session */
	bool adopted; /* a helper: a child of its creator, which ends, and so its parent gets it */
	bool made;
	struct task *memory_from;      /* the task whose memory it shares (CLONE_VM), else NULL */
	struct task *files_from;       /* the task whose descriptor table it shares, else NULL */
	bool inner_users;	       /* it lives in a user namespace within that of the root */
	bool outside;		       /* is made before its creator enters such a one */
	uint32_t users;		       /* number of such a one that it is in by now, else 0 */
	const struct task *ids_of;     /* whose ids it has for that by now */
	const struct task *visits_for; /* a helper that enters the user namespace of this task, to make it there */
	struct states states;
};

struct restorer_birth;

/* How a root task is made. */
struct root_birth {
	int (*boot)(void *arg);
	void *arg;
	struct restorer_birth *plain; /* what boot() makes it with; lib/compel/restorer.h */
};

struct restore {
	const struct options *options;
	struct store *store;
	struct task_tree *tree;
	struct pool *pool;
	struct progress *progress;
	struct facts *facts;
	struct workers *workers;
	struct stats *stats;
	struct meter *meter;	   /* of memory that is filled */
	struct plugins *plugins;   /* NULL before they are loaded */
	struct listener *listener; /* the client of the service; NULL: nobody listens */
	int client;		   /* our end of a connection that a restored task had to its service, else -1 */
	bool failed;		   /* the tasks are killed: the outside shall not notice that they were there */
	const struct copy *copy;   /* it is one of several (session/copy.h), else NULL */
	struct arena *arena;
	uint64_t arena_start;	       /* where it is to be: free in all tasks */
	uint64_t parking, parking_end; /* behind the arena, where tasks keep the vdso of this kernel for a while */
	uint64_t birth_flags;	       /* CLONE_NEW*: what the root task is born into */
	struct inventory *inventory;
	int securebits; /* with ids: our own, before restore_make_files_begin() */
	int stand_in; /* with ids: a pidfd of a process of ours of which tasks fetch descriptors, as they cannot from us
		       */
	/* Runs boot(), which makes the root task, as those who own its user namespace; NULL: it has none of its own. */
	int (*give_birth)(struct restore *r, const struct root_birth *birth);
	bool birth_apart; /* by a helper, whose sibling the root task is */
	int us;		  /* number, in every new task, of a pidfd of the coordinator that it was born with; 0: none */
	/* criu verify: session/survey.h, session/needs.h; NULL in a restore. */
	struct needs *needs;
	struct inspection *inspection; /* criu inspect: session/inspection.h; else NULL */
	struct states *states;
};

/*
 * What every session has: its pool, tree, statistics and room for states. The end destroys all that was made in it,
 * and the store with it; it may be called of one that never began.
 */
void dump_session_begin(struct dump *d, const struct options *options);
void dump_session_end(struct dump *d);
/* Where images are written, for phases that act; NULL before it is set. */
struct store *dump_store(struct dump *d);
void dump_set_store(struct dump *d, struct store *store);
void restore_session_begin(struct restore *r, const struct options *options);
void restore_session_end(struct restore *r);
/* The pool is the caller's now: texts in it are still needed. */
struct pool *restore_session_end_but_pool(struct restore *r);
