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
		return refuse(EEXIST,
			      "pid %d is still held by a zombie, or as the number of a session or group: let its "
			      "parent reap it, or restore into a new pid namespace (--new-pidns)",
			      pid);
	if (!*waited_ms)
		log_info("pid %d still belongs to a dead process: waiting for it to be reaped", pid);
	usleep(ZOMBIE_STEP_MS * 1000);
	*waited_ms += ZOMBIE_STEP_MS;
	return 0;
}
