/* SPDX-License-Identifier: LGPL-2.1-only */
/* Stopping tasks and letting them go. */
#include <compel/infect.h>
#include <compel/ptrace.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "kern/proc/proc.h"
#include "kern/proc/status.h"
#include "lib/compel/public/ctl.h"
#include "lib/compel/tracee.h"

static const struct deadline never;

int compel_interrupt_task(int pid)
{
	int error = tracee_seize(pid, false);

	if (error == -EPERM || error == -ESRCH)
		log_info("thread %d: cannot attach: %s", pid, strerror(-error));
	return error < 0 ? ctl_result(error) : 0;
}

static int read_status(int pid, struct seize_task_status *ret, void *data)
{
	AUTO_CLOSE int proc = proc_open(pid);
	AUTO(proc_status_done) struct proc_status status = { 0 };

	if (proc < 0)
		return proc;
	TRY(proc_status_read(proc, &status));
	*ret = (struct seize_task_status){
		.sigpnd = status.sig_pending,
		.shdpnd = status.shared_pending,
		.sigblk = status.sig_blocked,
		.state = status.state,
		.vpid = status.n_levels ? status.ns_pid[status.n_levels - 1] : status.pid,
		.ppid = status.ppid,
		.seccomp_mode = (int)status.seccomp,
	};
	return 0;
}

/* What became of a thread that cannot be stopped. */
static int state_of_dead(int pid, const struct seize_task_status *st)
{
	if (st->state == 'Z')
		return COMPEL_TASK_ZOMBIE;
	if (st->state == 'X')
		return COMPEL_TASK_DEAD;
	return fail(ESRCH, "thread %d (state %c) cannot be stopped", pid, st->state);
}

static int check_stopped(int pid, int ppid, const struct seize_task_status *st)
{
	if (ppid != -1 && st->ppid != ppid)
		return refuse(EINVAL, "task %d has another parent: %d, not %d", pid, st->ppid, ppid);
	if (st->seccomp_mode && ptrace_suspend_seccomp(pid) < 0)
		return fail_errno("task %d: suspending its seccomp filters (CAP_SYS_ADMIN is needed)", pid);
	return 0;
}

int compel_wait_task(int pid, int ppid, int (*get_status)(int, struct seize_task_status *, void *),
		     void (*free_status)(int, struct seize_task_status *, void *), struct seize_task_status *st,
		     void *data)
{
	int signal = 0, error = tracee_wait_stop(pid, &never, &signal);

	if (error < 0 && error != -ESRCH) {
		tracee_release(pid);
		return ctl_result(error);
	}
	memset(st, 0, sizeof(*st));
	if (get_status(pid, st, data) < 0) {
		if (error == -ESRCH)
			return COMPEL_TASK_DEAD;
		tracee_release(pid);
		return ctl_result(refuse(EIO, "task %d: its status cannot be read", pid));
	}
	if (error == -ESRCH)
		return ctl_result(state_of_dead(pid, st));
	error = check_stopped(pid, ppid, st);
	if (error < 0) {
		if (free_status)
			free_status(pid, st, data);
		tracee_release(pid);
		return ctl_result(error);
	}
	return signal ? COMPEL_TASK_STOPPED : COMPEL_TASK_ALIVE;
}

int compel_stop_task(int pid)
{
	struct seize_task_status st = { 0 };
	int saved;

	if (compel_interrupt_task(pid) == 0)
		return compel_wait_task(pid, -1, read_status, NULL, &st, NULL);
	/* A zombie cannot be attached to. */
	saved = errno;
	if (read_status(pid, &st, NULL) == 0 && (st.state == 'Z' || st.state == 'X'))
		return state_of_dead(pid, &st);
	return ctl_result(fail(saved, "stopping task %d", pid));
}

int compel_parse_stop_signo(int pid)
{
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) < 0)
		return ctl_result(fail_errno("task %d: asking why it stands", pid));
	return info.si_signo;
}

/* A call that returned EINTR because of our stop, and for no other reason, is made again. */
static void restart_call(pid_t pid)
{
	AUTO(pool_destroy) struct pool *pool = pool_create();
	struct thread_home home;

	if (ctl_read_home(pid, pool, &home) == 0)
		(void)arch_state_set_general(pid, home.state);
}

static int kill_task(pid_t pid)
{
	if (kill(pid, SIGKILL) < 0)
		return fail_errno("killing task %d", pid);
	tracee_reap(pid);
	return 0;
}

int compel_resume_task_sig(pid_t pid, int orig_state, int state, int stop_signo)
{
	switch (state) {
	case COMPEL_TASK_DEAD:
		return ctl_result(kill_task(pid));
	case COMPEL_TASK_STOPPED:
		stop_signo = SIGSTOP;
		break;
	case COMPEL_TASK_ALIVE:
		if (orig_state != COMPEL_TASK_STOPPED)
			stop_signo = 0;
		else if (!stop_signo)
			stop_signo = SIGSTOP;
		break;
	case COMPEL_TASK_ZOMBIE:
		return 0; /* nobody is attached to it */
	default:
		return ctl_result(refuse(EINVAL, "task %d: unknown state %d", pid, state));
	}
	restart_call(pid);
	/* Sent while the thread stands, so that it executes no instruction before. */
	if (stop_signo && kill(pid, stop_signo) < 0)
		return ctl_result(fail_errno("stopping task %d", pid));
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0)
		return ctl_result(fail_errno("letting task %d go", pid));
	return 0;
}

int compel_resume_task(pid_t pid, int orig_state, int state)
{
	return compel_resume_task_sig(pid, orig_state, state, 0);
}

int ptrace_suspend_seccomp(pid_t pid)
{
	return ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(long)(PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP)) <
			       0
		       ? -1
		       : 0;
}
