/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers that are still in use when a task or a thread is to have them. */
#include "flow/restore/pid-wait.h"

#include <errno.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/log.h"
#include "kern/proc/proc.h"
#include "kern/proc/running.h"
#include "kern/proc/stat.h"

#define ZOMBIE_STEP_MS 20

/* Who has a number in a given pid namespace cannot be seen by it. */
static int wait_inside(pid_t pid, unsigned *waited_ms)
{
	if (*waited_ms >= GRACE_PID_MS)
		return refuse(EEXIST,
			      "pid %d is in use in the pid namespace of the tree: end that process, or give another "
			      "namespace; if it has ended, the first process there reaps no orphans and needs an init "
			      "(podman run --init)",
			      pid);
	usleep(ZOMBIE_STEP_MS * 1000);
	*waited_ms += ZOMBIE_STEP_MS;
	return 0;
}

struct member {
	pid_t number, pid; /* 0: none */
	bool session;
};

static bool is_member(void *arg, pid_t pid, pid_t session, pid_t group)
{
	struct member *member = arg;

	if (pid == member->number || (session != member->number && group != member->number))
		return false;
	member->pid = pid;
	member->session = session == member->number;
	return true;
}

static struct member find_member(pid_t number)
{
	struct member member = { .number = number };

	running_visit_groups(is_member, &member);
	return member;
}

bool restore_pid_has_members(pid_t pid)
{
	return find_member(pid).pid;
}

static int refuse_dead(pid_t pid)
{
	struct member member = find_member(pid);
	struct proc_stat stat = { .comm = "?" };
	AUTO_CLOSE int proc = -1;

	if (!member.pid)
		return refuse(EEXIST,
			      "pid %d is still held by a zombie: let its parent reap it, or restore into a new pid "
			      "namespace (--new-pidns)",
			      pid);
	proc = proc_open(member.pid);
	if (proc >= 0)
		(void)proc_stat_read(proc, &stat);
	return refuse(
		EEXIST,
		"pid %d is still held as the number of the %s of process %d (%s): end that process, or restore into "
		"a new pid namespace (--new-pidns)",
		pid, member.session ? "session" : "process group", member.pid, stat.comm);
}

int restore_wait_for_pid(const struct restore *r, pid_t pid, unsigned *waited_ms)
{
	struct proc_stat stat = { .state = 'Z' };
	AUTO_CLOSE int proc = proc_open(pid);

	if (r->facts->inner_pids)
		return wait_inside(pid, waited_ms);

	if (proc >= 0)
		(void)proc_stat_read(proc, &stat); /* gone meanwhile: as good as a zombie */
	if (stat.state != 'Z' && stat.state != 'X')
		return refuse(EEXIST,
			      "pid %d is in use by %s: end that process, or restore into a new pid namespace "
			      "(--new-pidns)",
			      pid, stat.comm);
	if (*waited_ms >= GRACE_PID_MS)
		return refuse_dead(pid);
	if (!*waited_ms)
		log_info("pid %d still belongs to a dead process: waiting for it to be reaped", pid);
	usleep(ZOMBIE_STEP_MS * 1000);
	*waited_ms += ZOMBIE_STEP_MS;
	return 0;
}
