/* SPDX-License-Identifier: GPL-2.0-only */
/* Who reaps the orphans of a tree that is killed. */
#include "flow/freeze/orphans.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/deadline.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/log.h"
#include "kern/proc/proc.h"
#include "lib/compel/parasite.h"
#include "session/session.h"

/* The inode number of the first pid namespace of a machine (linux/proc_ns.h). Its first process reaps everybody. */
#define FIRST_PID_NAMESPACE 0xEFFFFFFCu

struct orphans {
	struct parasite_process root;
	size_t n;
};

static void orphans_destroy(struct orphans **orphans)
{
	if (!*orphans)
		return;
	if ((*orphans)->root.mem >= 0)
		close((*orphans)->root.mem);
	free(*orphans);
	*orphans = NULL;
}

bool orphans_may_stay(int proc, pid_t own_pid)
{
	ino_t inode = 0;

	return own_pid != 1 && proc_namespace(proc, "ns/pid", &inode) == 0 && inode != FIRST_PID_NAMESPACE;
}

static int call_in_root(const struct orphans *orphans, long nr, const uint64_t args[6], int64_t *ret)
{
	const struct parasite_process *root = &orphans->root;
	const struct deadline soon = deadline_in_seconds(GRACE_RELEASE_S);

	return parasite_call(root->tid, root->mem, &root->place, &root->state, nr, args, &soon, ret);
}

int orphans_take(const struct parasite_process *root, const struct mappings *mappings, struct parasite_cache *cache,
		 size_t n, struct orphans **ret)
{
	const uint64_t args[6] = { PR_SET_CHILD_SUBREAPER, 1 };
	AUTO(orphans_destroy) struct orphans *orphans = xzalloc(sizeof(*orphans));
	int64_t result;

	*orphans = (struct orphans){ .root = *root, .n = n };
	orphans->root.mem = openat(root->proc, "mem", O_RDWR | O_CLOEXEC);
	if (orphans->root.mem < 0)
		return fail_errno("opening its memory");
	TRY(parasite_find_place(orphans->root.mem, root->tid, mappings, root->state.home, cache, &orphans->root.place));
	TRY(call_in_root(orphans, __NR_prctl, args, &result));
	if (result < 0)
		return fail((int)-result, "making it a reaper of orphans");
	*ret = TAKE_PTR(orphans);
	return 0;
}

struct orphans *orphans_take_in_dump(struct dump *d)
{
	const struct task *root = d->tree->root;
	const struct thread_dump *leader = root->leader->dump;
	struct parasite_process process = { .tid = root->pid, .proc = root->dump->proc };
	struct orphans *orphans = NULL;

	if (d->tree->n_tasks < 2 || !task_is_live(root) || !leader || !leader->held ||
	    !orphans_may_stay(root->dump->proc, root->vpid))
		return NULL;
	process.state = (struct parasite_state){ leader->state, leader->alone, leader->sigmask };
	if (orphans_take(&process, &root->dump->mappings, d->parasite_cache, d->tree->n_tasks, &orphans) < 0)
		log_warn("If the first process of this pid namespace reaps no orphans, the tasks below the root stay "
			 "zombies and their pids taken");
	return orphans;
}

void orphans_ignore(const struct orphans *orphans)
{
	/* struct sigaction of the kernel, on all CPUs: the handler, and zeros. */
	const uint64_t ignore[PARASITE_SPARE / sizeof(uint64_t)] = { (uint64_t)SIG_IGN };
	const struct parasite_process *root = &orphans->root;
	const uint64_t args[6] = { SIGCHLD, parasite_spare(&root->place), 0, sizeof(uint64_t) };
	struct parasite_call call = {
		.tid = root->tid,
		.mem = root->mem,
		.place = &root->place,
		.state = &root->state,
		.deadline = deadline_in_seconds(GRACE_RELEASE_S),
		.spare = ignore,
	};
	int64_t result;

	if (args[1] && parasite_call_begin(&call, __NR_rt_sigaction, args) == 0)
		(void)parasite_call_end(&call, &result); /* logged */
}

/* Zombies that it has already, and whoever ends by another signal than SIGCHLD. The last call finds nobody. */
void orphans_reap(struct orphans **orphans)
{
	const uint64_t args[6] = { (uint64_t)-1, 0, __WALL };
	int64_t result = 1;

	for (size_t i = 0; i < (*orphans)->n && result > 0; i++)
		if (call_in_root(*orphans, __NR_wait4, args, &result) < 0)
			break; /* logged; the root is killed whatever comes */
	orphans_destroy(orphans);
}
