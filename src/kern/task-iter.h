/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the kernel keeps of threads, of all at once: a BPF iterator (Linux 5.8) takes less time for a thousand threads
 * than files of /proc for ten. It wants CAP_BPF and CAP_PERFMON, and a kernel with BTF: who uses it has another way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TASK_ITER_WORTH 50 /* so many threads, or more: for fewer, to load the program takes longer */

/* What is a thread's alone, as it, or a file of /proc, would answer; the last ones are its process's. */
struct task_own {
	char name[16];
	uint64_t tid_address;
	uint64_t stack, stack_size; /* for signals */
	uint32_t stack_flags;
	uint32_t personality;
	uint64_t timer_slack;
	uint32_t death_signal;
	bool has_memory_policy;
	uint64_t memory_defaults; /* VM_* of what it will map; 0: nothing of MCL_FUTURE */
	int oom_score;
	bool knows_login;
	uint32_t login; /* the user for the kernel's audit */
};

/* Numbers that stand for objects of the kernel: good for nothing but to be compared. 0: the thread has none. */
struct task_facts {
	pid_t tid;		       /* as criu sees it */
	uint64_t task, leader, parent; /* the thread itself; parent: the thread that made it, or has got it */
	bool knows_own;
	struct task_own own;
	bool has_children;
	bool may_wait_limited; /* it may sleep in a call with a time limit: proc_sleep_read() knows more */
	uint64_t namespaces;   /* all but user and pid; also those for children */
	uint64_t cgroups;      /* in each hierarchy */
	uint64_t files, fs;
	uint64_t memory, handlers; /* of signals */
	uint64_t credentials;	   /* user, groups, capabilities */
	uint64_t atomic_flags;	   /* PFA_* of linux/sched.h in the kernel's source, one of them no_new_privs */
	uint64_t thread_flags;	   /* TIF_* */
	/* These are what they are. */
	uint64_t pending, shared_pending; /* signals */
	uint32_t flags;			  /* PF_* */
	uint32_t seccomp;		  /* mode */
};

struct task_facts_list {
	struct task_facts *items; /* rising by tid */
	size_t n, capacity;
};

struct task_iter;

struct task_iter *task_iter_create(void);
void task_iter_destroy(struct task_iter **iter); /* accepts NULL; for AUTO() */
/* Loads the program, if that was not tried before: a millisecond or two, so before anything stands still. Whether it is
 * there. */
bool task_iter_prepare(struct task_iter *iter);
/* It was prepared already. */
bool task_iter_is_there(const struct task_iter *iter);
/*
 * All threads of a process, or with 0 of all processes that criu sees; it replaces what ret has. False, and nothing is
 * logged: it is not prepared, or cannot tell.
 */
bool task_iter_read(struct task_iter *iter, pid_t pid, struct task_facts_list *ret);
const struct task_facts *task_facts_find(const struct task_facts_list *list, pid_t tid); /* NULL: not there */
void task_facts_done(struct task_facts_list *list);
