/* SPDX-License-Identifier: GPL-2.0-only */
/* A zombie: a process that has died and whose parent has not yet asked how, see wait(2). */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "kern/pidfd.h"
#include "kern/proc/status.h"
#include "object/task/part.h"
#include "plan/plan.h"
#include "session/ids.h"
#include "session/loss.h"

/* Who may not trace a process is shown 0 as its exit status, see proc_pid_stat(5). A zombie cannot be seized, so this
 * has not come up before. */
static int check_readable(pid_t pid)
{
	AUTO_CLOSE int pidfd = pidfd_of_process(pid);

	if (pidfd >= 0 && pidfd_take_fd(pidfd, 0) == -EPERM)
		return refuse(EPERM, "how it ended is only told to who may trace it: run criu as root");
	return 0;
}

/* waitid(2) tells its parent. */
static int dump_user(const struct dump *d, const struct task *task, TaskCoreEntry *tc)
{
	AUTO(proc_status_done) struct proc_status status = { 0 };

	TRY(proc_status_read(task->dump->proc, &status));
	tc->dead_uid = dump_inner_uid(d, status.uid[0]);
	tc->dead_gid = dump_inner_gid(d, status.gid[0]);
	tc->has_dead_uid = tc->has_dead_gid = tc->dead_uid || tc->dead_gid;
	return 0;
}

static int dump_zombie(const struct dump *d, struct thread *thread)
{
	TaskCoreEntry *tc = thread->core->tc;

	TRY(check_readable(thread->task->pid));
	TRY(dump_user(d, thread->task, tc));
	tc->task_state = TASK_DEAD;
	tc->exit_code = (uint32_t)thread->task->dump->stat.exit_code;
	if (thread->task->dump->stat.exit_signal != SIGCHLD)
		dump_report_loss(d, "that its parent got signal %d at its end, not SIGCHLD (clone(2))",
				 thread->task->dump->stat.exit_signal);
	tc->comm = pool_string(d->pool, thread->task->comm);
	return 0;
}

static int check_zombie(const struct restore *r, struct thread *thread)
{
	int status = (int)thread->core->tc->exit_code;

	if (WIFEXITED(status) ? status & ~0xff00 : !WIFSIGNALED(status) || status & ~0xff || WTERMSIG(status) > 64)
		return refuse(EINVAL, "the record of a zombie has the exit status 0x%x: the image is damaged", status);
	if (WIFSIGNALED(status) && WCOREDUMP(status))
		log_warn("died with a core dump; its parent will hear of signal %d only", WTERMSIG(status));
	return 0;
}

/* Those whose action is to dump core, see signal(7). */
static bool dumps_core(int sig)
{
	static const int signals[] = { SIGQUIT, SIGILL,	 SIGTRAP, SIGABRT, SIGBUS,
				       SIGFPE,	SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (signals[i] == sig)
			return true;
	return false;
}

/* Dies by a signal, without a core dump. All are blocked until now. */
static void plan_signal(struct plan *plan, int sig)
{
	uint64_t mask = 1ull << (sig - 1);
	uint64_t default_action[4] = { 0 };

	if (sig != SIGKILL && sig != SIGSTOP)
		plan_syscall(plan, "set the action of a fatal signal", __NR_rt_sigaction, V(sig),
			     D(plan_data(plan, default_action, sizeof(default_action))), V(0), V(sizeof(mask)));
	if (dumps_core(sig))
		plan_syscall(plan, "forbid a core dump", __NR_prctl, V(PR_SET_DUMPABLE), V(0), V(0), V(0), V(0));
	/* Two steps, so that the process does not depend on its number in this pid namespace. */
	plan_syscall(plan, "get the own pid", __NR_getpid)->to_slot = 1;
	plan_syscall(plan, "send a fatal signal", __NR_kill, S(1), V(sig));
	plan_syscall(plan, "die by the signal", __NR_rt_sigprocmask, V(SIG_UNBLOCK),
		     D(plan_data(plan, &mask, sizeof(mask))), V(0), V(sizeof(mask)));
}

/* The last step does not return: the flow waits for the death of the process, not for the end of the plan. */
static int plan_zombie(struct restore *r, struct thread *thread, struct plan *plan)
{
	const TaskCoreEntry *tc = thread->core->tc;
	char comm[16] = "";
	int status = (int)tc->exit_code;

	memcpy(comm, tc->comm, strnlen(tc->comm, sizeof(comm) - 1));
	plan_syscall(plan, "set the name", __NR_prctl, V(PR_SET_NAME), D(plan_data(plan, comm, sizeof(comm))));
	if (tc->has_dead_gid)
		plan_syscall(plan, "be of its group", __NR_setresgid, V(tc->dead_gid), V(tc->dead_gid), V(tc->dead_gid))
			->flags |= STEP_MAY_FAIL;
	if (tc->has_dead_uid)
		plan_syscall(plan, "be its user", __NR_setresuid, V(tc->dead_uid), V(tc->dead_uid), V(tc->dead_uid))
			->flags |= STEP_MAY_FAIL;
	if (WIFSIGNALED(status))
		plan_signal(plan, WTERMSIG(status));
	else
		plan_syscall(plan, "exit", __NR_exit_group, V(WEXITSTATUS(status)));
	return 0;
}

const struct task_part zombie_part = {
	.name = "zombie",
	.for_zombies = true,
	.outside = dump_zombie,
	.check = check_zombie,
	.plan = plan_zombie,
};
