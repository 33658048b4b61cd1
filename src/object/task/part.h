/* SPDX-License-Identifier: GPL-2.0-only */
/* What makes a process or a thread besides memory and files: one struct task_part per source file, both directions. */
#pragma once

#include "creds.pb-c.h"
#include "lib/compel/remote.h"
#include "session/session.h"

/*
 * A part that belongs to the process acts for the leader only: it asks thread == thread->task->leader.
 * All members but name are optional. Parts run in the order of the list in src/object/meson.build.
 */
struct task_part {
	const char *name;
	bool for_zombies; /* acts for zombies, and only for them; they have no thread_core */

	/* Dump: [coordinator] all threads of the tree are stopped. Record → thread->core (thread_core, tc, allocated
	 * already) from d->pool. */
	int (*begin)(struct dump *d);	      /* once, before anything stands still */
	int (*collect)(const struct dump *d); /* once, before any task */
	int (*outside)(const struct dump *d,
		       struct thread *thread); /* what /proc, ptrace and system calls on tids tell */
	int (*guess)(const struct dump *d, struct thread *thread); /* instead of ask and answer, where nobody is asked:
								  refuse what these would */
	int (*ask)(struct dump *d, struct thread *thread,
		   struct plan *plan); /* steps that run in the thread; keep offsets in part_offsets() */
	int (*aside)(const struct dump *d, struct thread *thread); /* what others tell of it and its steps do not
								      change: while it runs them, or instead */
	int (*answer)(struct dump *d, struct thread *thread);	   /* read remote_result(thread->remote, ...) */
	/* Instead of ask and answer: all is in told->own, or as in thread->dump->like, which has answered. NULL: ask
	   does nothing for threads that are not the leader. */
	int (*told)(struct dump *d, struct thread *thread);
	int (*again)(struct dump *d, struct thread *thread); /* what came meanwhile; all threads of the task are
								  stopped again */
	int (*finish)(const struct dump *d);		     /* once, after all tasks: what is wrong with all of them */
	int (*write)(struct dump *d);			     /* once, after all tasks: own images */

	/* Restore, in this order. */
	int (*load)(const struct restore *r); /* [coordinator] read own images; nothing exists yet */
	int (*check)(const struct restore *r,
		     struct thread *thread); /* [coordinator] range checks of the record; nothing exists yet */
	void (*needs)(const struct restore *r,
		      struct thread *
			      thread); /* [criu verify, instead of all that follows] need_feature() (session/needs.h) */
	int (*plan)(struct restore *r, struct thread *thread,
		    struct plan *plan); /* steps run in the new thread: all signals are blocked, full
			      privileges; memory, files and all threads of all tasks are there */
	/* Last steps before it goes home: seized by ptrace, seccomp suspended, all zombies dead. The plan of the leader
	   has run when those of the other threads of its process are begun (it synchronises filters). Credentials go
	   late: what comes after them needs no power. */
	int (*last)(struct restore *r, struct thread *thread, struct plan *plan);
	int (*settle)(struct restore *r,
		      struct thread *thread); /* [coordinator] the thread is in a ptrace stop, nothing runs any more */
};

/* --- credentials that somebody has for a moment, for other families --- */

int credentials_check(const CredsEntry *record);
/* All of them, by the calling process, for good. -errno, not logged. */
int credentials_take(const CredsEntry *record);
/* Effective ids, effective capabilities and groups, by a task that is being restored, and its own ones again. proc: its
 * directory of /proc. */
int credentials_plan_borrow(struct plan *plan, const CredsEntry *record, int proc);
int credentials_plan_return(struct plan *plan, int proc);
/* Refuses if a security module confines the task in another way than criu; whose: what would not be confined then. */
int confinement_check_same(const struct dump *d, const struct task *task, const char *whose);

/* Offsets that ask() leaves for answer(): one array of n for each part and thread, zeroed at first. */
size_t *part_offsets(struct dump *d, struct thread *thread, const struct task_part *part, unsigned n);

/* The registry, generated from src/object/meson.build; NULL-terminated. */
extern const struct task_part *const task_parts[];

int parts_dump_begin(struct dump *d);
int parts_dump_collect(const struct dump *d);
int parts_dump_outside(const struct dump *d, struct thread *thread);
int parts_dump_ask(struct dump *d, struct thread *thread, struct plan *plan);
int parts_dump_aside(const struct dump *d, struct thread *thread);
int parts_dump_answer(struct dump *d, struct thread *thread);
int parts_dump_told(struct dump *d, struct thread *thread);
int parts_dump_again(struct dump *d, struct thread *thread);
int parts_dump_guess(const struct dump *d, struct thread *thread);
int parts_dump_finish(const struct dump *d);
int parts_dump_write(struct dump *d);
int parts_restore_self(const struct restore *r);
int parts_restore_load(const struct restore *r);
int parts_restore_check(const struct restore *r, struct thread *thread);
void parts_restore_needs(const struct restore *r);
int parts_restore_plan(struct restore *r, struct thread *thread, struct plan *plan);
int parts_restore_last(struct restore *r, struct thread *thread, struct plan *plan);
int parts_restore_settle(struct restore *r, struct thread *thread);
