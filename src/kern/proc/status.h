/* SPDX-License-Identifier: LGPL-2.1-only */
/* /proc/PID/status: identity, credentials and signal sets of a thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_MAX_PID_LEVELS 33 /* MAX_PID_NS_LEVEL of the kernel is 32, plus the first */

enum proc_id { PROC_REAL, PROC_EFFECTIVE, PROC_SAVED, PROC_FS, PROC_IDS };

struct proc_status {
	char name[64];	/* unescaped */
	char state;	/* R S D T t Z X I ... */
	uint32_t umask; /* UINT32_MAX: not shown, for the task has no fs (a zombie) */
	pid_t tgid, pid, ppid, tracer_pid;
	uint32_t uid[PROC_IDS], gid[PROC_IDS];
	uint32_t fd_size; /* above all numbers of its descriptors */
	uint32_t *groups; /* malloc'ed */
	size_t n_groups;
	/* One id for each pid namespace from that of /proc inwards; the last one is what the task itself sees. */
	pid_t ns_tgid[PROC_MAX_PID_LEVELS], ns_pid[PROC_MAX_PID_LEVELS];
	pid_t ns_pgid[PROC_MAX_PID_LEVELS], ns_sid[PROC_MAX_PID_LEVELS];
	size_t n_levels;
	bool kthread; /* since 6.8 */
	uint32_t threads;
	uint64_t sig_pending, shared_pending, sig_blocked, sig_ignored, sig_caught;
	uint64_t cap_inheritable, cap_permitted, cap_effective, cap_bounding, cap_ambient;
	uint32_t no_new_privs, seccomp, seccomp_filters;
	uint32_t thp_enabled; /* 0: switched off with PR_SET_THP_DISABLE */
	uint64_t vm_size_kb, vm_rss_kb, vm_lck_kb;
};

int proc_status_read(int proc, struct proc_status *ret);
int proc_status_read_thread(int proc, pid_t tid, struct proc_status *ret);
int proc_status_parse(char *text, struct proc_status *ret); /* changes the text */
void proc_status_done(struct proc_status *status);
