/* SPDX-License-Identifier: GPL-2.0-only */
/* What every phase of a dump or of a restore is given. No kinds, no order of things. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/deadline.h"
#include "base/pool.h"
#include "fs.pb-c.h"
#include "image/image.h"
#include "kern/kcmp.h"
#include "kern/proc/maps.h"
#include "kern/proc/stat.h"
#include "kern/proc/status.h"
#include "options/options.h"
#include "task/task.h"

struct page_sink;
struct plugins;
struct workers;
struct stats;
struct namespace_set;
struct task_host;
struct plan;
struct table;

/* Address space that is the same in all tasks of a restore while they are made; sparse. */
#define ARENA_SIZE   (1ull << 30)
#define PARKING_SIZE (1ull << 20)

/* Registers of a thread as they are put back: opaque outside arch/. */
struct arch_thread_state;

struct thread_dump {
	struct proc_status status; /* of this thread (/proc/PID/task/TID/status) */
	bool held;		   /* it stands in a ptrace stop of ours */
	uint64_t sigmask;
	struct arch_thread_state *state; /* registers to go home with */
	struct arch_thread_state *alone; /* the same, with an interrupted call to be made again */
	size_t **part_offsets;		 /* object/task: what ask() leaves for answer() */
};

struct task_dump {
	int proc; /* directory /proc/PID */
	int pidfd;
	struct proc_stat stat;
	struct mappings mappings;
	bool new;	  /* asked to stop, not yet waited for */
	bool was_stopped; /* group-stopped before we came, by stop_signal */
	bool released;	  /* it runs again */
	bool unstopped;	  /* it could not be stopped and is only looked at (session/survey.h) */
	int stop_signal;
	struct mapping *leftovers; /* memory of a criu that was killed; not among the mappings */
	size_t n_leftovers;
	int trackers[8]; /* descriptors that are none of the program's: kern/track.h */
	unsigned n_trackers;
	bool unwritten_known; /* pages of tracked mappings that were not written to are as the parent images have them
			       */
	bool soft_dirty;      /* the soft-dirty bits tell it, of all mappings that can be tracked */
	struct task_tracking *tracking; /* object/memory */
	struct task_pages *pages;	/* object/memory: chosen, not saved yet */
	uint32_t first_with_files;	/* own pid if it is the first task with this descriptor table, else 0 */
};

struct dump {
	const struct options *options;
	struct store *store;
	struct task_tree *tree;
	struct pool *pool; /* records live here */
	struct deadline deadline;
	struct table *passed; /* of src/engine: phases that were announced */
	/* See session/survey.h. */
	bool only_look; /* no checkpoint comes of it: nothing is changed, drained or locked */
	bool tasks_run; /* from the beginning, and the tasks run meanwhile */
	int obstacle;	/* the first refusal that was passed over, else 0 */
	struct workers *workers;
	struct stats *stats;
	struct plugins *plugins;       /* NULL before they are loaded */
	struct file_dump *files;       /* object/file */
	struct socket_dump *sockets;   /* object/socket */
	struct network_lock *network;  /* object/net */
	struct mount_set *mounts;      /* object/mount; NULL: no task has a mount namespace of its own */
	struct memory_dump *memory;    /* object/memory */
	struct lazy_dump *lazy;	       /* object/memory: what --lazy-pages leaves in the tasks */
	int lazy_listener;	       /* --lazy-pages: who takes that memory connects here; else -1 */
	struct page_sink *page_server; /* --page-server, until object/memory takes it; else NULL */
	const struct task_host *host;  /* object/task */
	struct seccomp_dump *seccomp;  /* object/task/seccomp/seccomp.c */
	struct inventory *inventory;
	struct freezer *freezer;     /* flow/freezer.c: of --freeze-cgroup, until the tasks are let go */
	struct reaper *reaper;	     /* flow/reaper.c: while the tree is being stopped */
	bool was_frozen;	     /* that cgroup, before we came */
	struct cgroup_dump *cgroups; /* object/cgroup; NULL: not our business */
	bool own_network;	     /* the root task has a network of its own, which scripts may cut off */
	bool network_cut_off;	     /* the action network-lock has run */
	bool left_stopped;	     /* the dump has succeeded, its tasks stay stopped */
	bool taken; /* something was read that nobody can put back: the tasks must not run on as if nothing was */
	struct namespace_set *namespaces; /* object/namespace */
	bool inner_pids;		  /* the tree has a pid namespace of its own: session/pids.h */
	const struct UsernsEntry *ids;	  /* the tree has a user namespace of its own: session/ids.h; else NULL */
	struct parasite_cache *parasite_cache;
	struct parasite_watch *watch; /* NULL: nobody takes our memory out of the tasks, should we be killed */
	struct kcmp_tree *kcmp_vm, *kcmp_files, *kcmp_fs, *kcmp_sighand;
};

struct thread_restore {
	struct arch_thread_state *state;
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
	struct task *memory_from;	   /* the task whose memory it shares (CLONE_VM), else NULL */
	struct task *files_from;	   /* the task whose descriptor table it shares, else NULL */
	const struct UsernsEntry *user_ns; /* it lives in a user namespace within that of the root; NULL: it does not */
	FsEntry *fs;
	void *memory; /* object/memory */
};

struct restore {
	const struct options *options;
	struct store *store;
	struct task_tree *tree;
	struct pool *pool;
	struct deadline deadline;
	struct table *passed; /* of src/engine: phases that were announced */
	struct workers *workers;
	struct stats *stats;
	struct plugins *plugins; /* NULL before they are loaded */
	struct arena *arena;
	uint64_t arena_start;	       /* where it is to be: free in all tasks */
	uint64_t parking, parking_end; /* behind the arena, where tasks keep the vdso of this kernel for a while */
	uint64_t birth_flags;	       /* CLONE_NEW*: what the root task is born into */
	bool own_network;	       /* it has a network of its own, which scripts may cut off */
	bool announced;		       /* scripts and clients hear of its namespaces */
	struct own_vdso *vdso;	       /* object/memory: the vdso of this kernel */
	struct inventory *inventory;
	struct namespace_set *namespaces; /* object/namespace; NULL before the tasks are loaded */
	bool inner_pids;		  /* session/pids.h */
	bool inner_users;		  /* tasks have user namespaces within that of the root */
	const struct UsernsEntry *ids;	  /* session/ids.h; NULL: the tree has the ids that we see */
	const uint32_t *groups; /* the supplementary groups of new tasks, as they see them, until they get their own */
	size_t n_groups;
	struct broker *broker; /* object/namespace: a process of ours in the user namespace of the tree; NULL: none */
	int stand_in;	       /* a pidfd of it, of which tasks fetch descriptors, as they can't from us */
	/* Runs boot(), which makes the root task, as those who own its user namespace; NULL: it has none of its own. */
	int (*give_birth)(struct restore *r, int (*boot)(void *arg), void *arg);
	int us; /* number, in every new task, of a pidfd of the coordinator that it was born with; 0: none */
	struct file_set *files;	      /* object/file */
	struct network_lock *network; /* object/net */
	struct lazy_restore *lazy;    /* object/memory: NULL without --lazy-pages */
	struct mount_set *mounts;     /* object/mount; NULL: no task has a mount namespace of its own */
	struct shared_set *shared;    /* object/memory: shared memory objects */
	struct restore_self *self;    /* object/task */
	const struct task_host *host; /* object/task */
	/* criu verify: session/survey.h, session/needs.h; NULL in a restore. */
	struct needs *needs;
	int damage;			/* the first failure that was passed over, else 0 */
	struct seccomp_set *seccomp;	/* object/task/seccomp/seccomp.c */
	struct cgroup_restore *cgroups; /* object/cgroup; NULL: nothing is to be done */
};

/* Steps of a new task: a pidfd of the coordinator in this slot (blob/abi/steps.h), to be closed by steps of the caller.
 */
void restore_plan_find_us(const struct restore *r, struct plan *plan, unsigned slot);
/* Steps of a new task: all descriptors are closed but r->us. */
void restore_plan_close_all(const struct restore *r, struct plan *plan);
