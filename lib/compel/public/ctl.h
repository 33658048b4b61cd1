/* SPDX-License-Identifier: LGPL-2.1-only */
/* Inside of libcompel: the control objects. */
#pragma once

#include <compel/infect.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "lib/compel/parasite.h"
#include "lib/compel/plugins/abi.h"

/* A stopped thread, and how it goes on. */
struct thread_home {
	pid_t tid;
	struct arch_thread_state *state, *alone;
	k_rtsigset_t sigmask;
};

/* A remote with its plan: one call of the parasite. */
struct caller {
	struct remote *remote;
	struct plan *plan;
	size_t result;
	uint64_t stack; /* top, over there */
};

struct parasite_ctl {
	pid_t pid, tgid;
	struct infect_ctx ictx;
	struct parasite_blob_desc pbd;
	struct pool *pool;
	struct thread_home home;
	struct parasite_process process; /* proc < 0: not opened yet */
	struct arena *arena;
	char *local;	  /* the parasite: blob, GOT, arguments */
	uint64_t address; /* the same over there */
	size_t args_size;
	struct caller leader, thread;
	uint64_t sigframe; /* over there */
	void *sigframe_local;
	struct compel_last_exit last_exit;
	uint32_t *busy;	      /* in the arena: a thread runs a command */
	int control;	      /* socket of the daemon, -1 = no daemon */
	int32_t their_fds[2]; /* descriptors of the daemon over there plus 1, 0 = unknown */
	bool own_sock, handles_children, unmapped;
};

struct parasite_thread_ctl {
	struct parasite_ctl *ctl;
	struct pool *pool;
	struct thread_home home;
	tls_t tls;
};

/* Results of functions of ours as the interface has them: -1 and errno. */
static inline int ctl_result(int error)
{
	if (error >= 0)
		return error;
	errno = -error;
	return -1;
}

struct parasite_state ctl_parasite_state(const struct thread_home *home);
/* Reads how the stopped thread goes on. */
int ctl_read_home(pid_t tid, struct pool *pool, struct thread_home *home);
/* Opens what is needed for work in the process; does nothing the second time. */
int ctl_open_process(struct parasite_ctl *ctl);

/* Sends the caller's thread into the parasite with this command. */
int ctl_call_parasite(struct parasite_ctl *ctl, struct caller *caller, unsigned cmd, uint64_t args);
/*
 * Stops the thread and gives it everything back. has_slept: the parasite may have made a call after which the kernel
 * does not know any more how to go on with an interrupted one.
 */
int ctl_bring_home(struct caller *caller, struct thread_home *home, bool at_stop, bool has_slept);
/* Where the arguments lie, there. */
uint64_t ctl_args_address(const struct parasite_ctl *ctl);

/* By the arch. */
void ctl_arch_get_regs(const struct arch_thread_state *state, user_regs_struct_t *regs, user_fpregs_struct_t *fpregs);
/* Reads the thread areas of a stopped thread. */
int ctl_arch_read_tls(pid_t tid, tls_t *ret);
