/* SPDX-License-Identifier: LGPL-2.1-only */
/* Making threads of the process do single things: a system call, a command of the parasite, code at an address. */
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/grace.h"
#include "base/pool.h"
#include "lib/compel/plugins/abi.h"
#include "lib/compel/public/ctl.h"
#include "lib/compel/public/extra.h"
#include "lib/compel/arena.h"
#include "lib/compel/tracee.h"

static const struct deadline never;

static int refuse_daemon(const struct parasite_ctl *ctl, const char *what)
{
	return ctl->control < 0
		       ? 0
		       : refuse(EBUSY, "task %d: its thread runs the daemon, so it cannot %s: stop the daemon first",
				ctl->pid, what);
}

static int remote_call(struct parasite_ctl *ctl, long nr, const uint64_t args[6], int64_t *ret)
{
	TRY(refuse_daemon(ctl, "make a system call"));
	TRY(ctl_open_process(ctl));
	return parasite_call(ctl->pid, ctl->process.mem, &ctl->process.place, &ctl->process.state, nr, args, &never,
			     ret);
}

int compel_syscall(struct parasite_ctl *ctl, int nr, long *ret, unsigned long arg1, unsigned long arg2,
		   unsigned long arg3, unsigned long arg4, unsigned long arg5, unsigned long arg6)
{
	int64_t result = -ENOSYS;
	int error = remote_call(ctl, nr, (const uint64_t[6]){ arg1, arg2, arg3, arg4, arg5, arg6 }, &result);

	if (ret)
		*ret = (long)result;
	return ctl_result(error);
}

void *remote_mmap(struct parasite_ctl *ctl, void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	int64_t result = 0;
	int error = remote_call(ctl, __NR_mmap,
				(const uint64_t[6]){ (uint64_t)addr, length, (uint64_t)prot, (uint64_t)flags,
						     (uint64_t)fd, (uint64_t)offset },
				&result);

	if (error == 0 && result < 0 && result > -4096)
		error = (int)result;
	return ctl_result(error) < 0 ? NULL : (void *)result;
}

int remote_mprotect(struct parasite_ctl *ctl, void *addr, size_t length, int prot)
{
	int64_t result = 0;
	int error =
		remote_call(ctl, __NR_mprotect, (const uint64_t[6]){ (uint64_t)addr, length, (uint64_t)prot }, &result);

	return ctl_result(error ? error : (int)result);
}

int ctl_call_parasite(struct parasite_ctl *ctl, struct caller *caller, unsigned cmd, uint64_t args)
{
	memcpy(ctl->local + ctl->pbd.hdr.cmd_off, &cmd, sizeof(cmd));
	memcpy(ctl->local + ctl->pbd.hdr.args_ptr_off, &args, sizeof(args));
	return remote_post(caller->remote, caller->plan);
}

int ctl_bring_home(struct caller *caller, struct thread_home *home, bool at_stop, bool has_slept)
{
	struct deadline soon = deadline_in_seconds(GRACE_HOME_S);
	struct remote *remote = caller->remote;

	if (!remote || !remote->away)
		return 0;
	TRY(parasite_halt(remote, &soon));
	if (has_slept)
		home->state = home->alone; /* the interrupted call is made again from its beginning */
	remote->state.home = home->state;
	/* A parasite may use all registers. The general ones come last: they lead it away from its own way home. */
	TRY(arch_state_set_extended(home->tid, home->state));
	return at_stop ? parasite_put_back(remote) : parasite_catch(remote, &soon);
}

static int run_in_thread(struct parasite_thread_ctl *tctl, unsigned cmd, int *ret)
{
	struct parasite_ctl *ctl = tctl->ctl;
	struct caller *caller = &ctl->thread;
	struct parasite_state state = ctl_parasite_state(&tctl->home);
	int64_t result = 0;
	int error, error2;

	if (!caller->remote)
		return refuse(EINVAL, "task %d has no parasite for threads: compel_infect() wants nr_threads > 1",
			      ctl->pid);
	parasite_aim(caller->remote, tctl->home.tid, &state);
	__atomic_store_n(ctl->busy, 1, __ATOMIC_SEQ_CST);
	error = ctl_call_parasite(ctl, caller, cmd, ctl_args_address(ctl));
	if (error == 0)
		error = remote_wait(caller->remote, &never);
	if (error == 0)
		result = remote_value(caller->remote, caller->result);
	error2 = ctl_bring_home(caller, &tctl->home, false, error || result & (int64_t)COMPEL_HAS_SLEPT);
	if (error2 == 0)
		__atomic_store_n(ctl->busy, 0, __ATOMIC_SEQ_CST);
	*ret = (int)result;
	return error ? error : error2;
}

int compel_run_in_thread(struct parasite_thread_ctl *tctl, unsigned int cmd)
{
	int result = -1, error = run_in_thread(tctl, cmd, &result);

	return error < 0 ? ctl_result(error) : result;
}

static int wait_trap(pid_t pid, int *lost_stop)
{
	for (;;) {
		int status;

		if (ptrace(PTRACE_CONT, pid, NULL, NULL) < 0)
			return fail_errno("letting thread %d run", pid);
		while (waitpid(pid, &status, __WALL) < 0)
			if (errno != EINTR)
				return fail_errno("waiting for thread %d", pid);
		if (!WIFSTOPPED(status))
			return refuse(ESRCH, "thread %d has died", pid);
		if (status >> 16 == PTRACE_EVENT_STOP)
			continue;
		if (WSTOPSIG(status) == SIGTRAP)
			return 0;
		if (WSTOPSIG(status) != SIGSTOP)
			return refuse(EIO, "thread %d got signal %d (%s)", pid, WSTOPSIG(status),
				      strsignal(WSTOPSIG(status)));
		*lost_stop = SIGSTOP;
	}
}

static int enter_code(struct parasite_ctl *ctl, uint64_t ip)
{
	uint64_t stack = ctl->leader.stack ?: (arch_state_sp(ctl->home.state) - PARASITE_STACK_REDZONE) & ~15ull;

	TRY(refuse_daemon(ctl, "run other code"));
	TRY(tracee_set_sigmask(ctl->pid, ~0ull));
	return arch_enter(ctl->pid, ctl->home.state, ip, 0, stack);
}

static int leave_code(struct parasite_ctl *ctl, int error, int lost_stop)
{
	int error2 = error == -ESRCH ? 0 : arch_state_set(ctl->pid, ctl->home.state);

	if (error2 == 0 && error != -ESRCH)
		error2 = tracee_set_sigmask(ctl->pid, ctl->home.sigmask.sig[0]);
	if (lost_stop)
		syscall(__NR_tkill, ctl->pid, lost_stop);
	return ctl_result(error ? error : error2);
}

int compel_run_at(struct parasite_ctl *ctl, unsigned long ip, user_regs_struct_t *ret_regs)
{
	int lost_stop = 0, error = enter_code(ctl, ip);

	if (error == -EBUSY)
		return ctl_result(error);
	if (error == 0)
		error = wait_trap(ctl->pid, &lost_stop);
	if (error == 0 && ret_regs && ptrace_get_regs(ctl->pid, ret_regs) < 0)
		error = -errno;
	return leave_code(ctl, error, lost_stop);
}

int compel_unmap(struct parasite_ctl *ctl, unsigned long addr)
{
	int lost_stop = 0, error = enter_code(ctl, addr);

	if (error == -EBUSY)
		return ctl_result(error);
	if (error == 0)
		error = tracee_run_to_exit(ctl->pid, __NR_munmap, &never, &lost_stop);
	return leave_code(ctl, error, lost_stop);
}
