/* SPDX-License-Identifier: LGPL-2.1-only */
/* Copies of processes: children that never run and only hold memory as it was. */
#include "lib/compel/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/log.h"
#include "base/pool.h"
#include "kern/pidfd.h"
#include "kern/proc/children.h"
#include "kern/proc/maps.h"
#include "kern/proc/proc.h"
#include "lib/compel/tracee.h"

/*
 * It is traced from its birth. Should we die before it is told to die with us, it returns from the call to this stack:
 * a signal ends it before it has executed anything of the program.
 */
#define NO_STACK 16

#define PATIENCE_S 5

static bool is_among(const struct proc_pids *pids, pid_t pid)
{
	for (size_t i = 0; i < pids->n; i++)
		if (pids->items[i] == pid)
			return true;
	return false;
}

/* What the call itself has changed in its memory is as before in its parent, and here too. */
static int tidy_up(const struct parasite_process *process, const struct parasite_copy *copy)
{
	const struct parasite_place *place = &process->place;
	AUTO_FREE uint8_t *bytes = xzalloc(place->scratch_size + 1);
	ssize_t got;

	if (!place->scratch || !place->sigreturn)
		return 0;
	got = io_pread(process->mem, bytes, place->scratch_size, (off_t)place->scratch);
	if (got != (ssize_t)place->scratch_size)
		return fail(got < 0 ? (int)-got : EFAULT, "reading the stack of the task");
	got = io_pwrite(copy->mem, bytes, place->scratch_size, (off_t)place->scratch);
	return got < 0 ? fail((int)-got, "writing to the stack of its copy") : 0;
}

static int hold_copy(const struct parasite_process *process, struct parasite_copy *copy,
		     const struct deadline *deadline)
{
	AUTO_CLOSE int proc = proc_open(copy->pid);
	int signal;

	TRY(tracee_wait_stop(copy->pid, deadline, &signal));
	TRY(tracee_kill_with_us(copy->pid));
	copy->mem = proc < 0 ? -1 : openat(proc, "mem", O_RDWR | O_CLOEXEC);
	if (copy->mem < 0)
		return fail_errno("opening the memory of a copy of the task");
	return tidy_up(process, copy);
}

/* We know its number as the process sees it; as we see it, it is the child that was not there. */
static int find_copy(const struct parasite_process *process, const struct proc_pids *before, struct parasite_copy *copy)
{
	AUTO(proc_pids_done) struct proc_pids after = { 0 };

	TRY(proc_children_add(process->proc, process->tid, &after));
	for (size_t i = after.n; i > 0 && !copy->pid; i--)
		if (!is_among(before, after.items[i - 1]))
			copy->pid = after.items[i - 1];
	return copy->pid ? 0 : refuse(ESRCH, "a copy of the task was made and cannot be found");
}

/* The result, if it was made at all, is the watch's before the stack, on which the kernel has told it, is as it was. */
static int call_clone(const struct parasite_process *process, uint64_t flags, const struct deadline *deadline,
		      struct parasite_copy *copy)
{
	/* No CLONE_FS: a set-user-ID program that the task executes meanwhile would lose its right. */
	/* The kernel tells its number there before we know it: whoever forgets the copy for us needs it. */
	const uint64_t told_at = parasite_spare(&process->place);
	const uint64_t args[6] = { CLONE_PTRACE | flags | (told_at ? CLONE_PARENT_SETTID : 0), NO_STACK, told_at };
	int64_t unwatched = 0, *number;
	int told_before = 0, error;

	if (told_at) {
		ssize_t got = io_pread(process->mem, &told_before, sizeof(told_before), (off_t)told_at);

		if (got < 0)
			return fail((int)-got, "reading the stack of the task");
	}
	copy->watched = parasite_watch_add(process->watch, process, 0);
	number = parasite_watch_child(process->watch, copy->watched, told_at, told_before);
	if (!number)
		number = &unwatched;
	error = parasite_call(process->tid, process->mem, &process->place, &process->state, __NR_clone, args, deadline,
			      number);
	copy->number = *number;
	return error;
}

static int make_child(const struct parasite_process *process, uint64_t flags, const struct deadline *deadline,
		      struct parasite_copy *ret)
{
	AUTO(proc_pids_done) struct proc_pids before = { 0 };

	*ret = (struct parasite_copy){ .mem = -1, .watched = -1 };
	TRY(proc_children_add(process->proc, process->tid, &before));
	TRY(call_clone(process, flags, deadline, ret)); /* what may come of it yet is left to the watch */
	if (ret->number < 0) {
		parasite_watch_remove(process->watch, ret->watched);
		return (int)ret->number;
	}
	TRY(find_copy(process, &before, ret));
	return hold_copy(process, ret, deadline);
}

int parasite_copy_make(const struct parasite_process *process, const struct deadline *deadline,
		       struct parasite_copy *ret)
{
	return make_child(process, CLONE_FILES, deadline, ret);
}

static int take_userfaultfd(const struct parasite_process *process, const struct parasite_copy *child, uint64_t flags,
			    struct pool *pool, const struct deadline *deadline, int *ret)
{
	const uint64_t args[6] = { flags };
	AUTO_CLOSE int pidfd = -1;
	struct parasite_state state;
	int64_t number;

	TRY(parasite_read_state(child->pid, pool, &state));
	TRY(parasite_call(child->pid, child->mem, &process->place, &state, __NR_userfaultfd, args, deadline, &number));
	if (number < 0)
		return (int)number;
	pidfd = pidfd_of_process(child->pid);
	*ret = pidfd < 0 ? pidfd : pidfd_take_fd(pidfd, (int)number);
	return *ret < 0 ? *ret : 0;
}

int parasite_make_userfaultfd(const struct parasite_process *process, uint64_t flags, struct pool *pool,
			      const struct deadline *deadline, int *ret)
{
	struct parasite_copy child;
	int result = make_child(process, CLONE_VM, deadline, &child);

	if (child.pid <= 0) /* what may come of it yet is left to the watch */
		return result;
	if (result == 0)
		result = take_userfaultfd(process, &child, flags, pool, deadline, ret);
	if (child.mem >= 0)
		close(child.mem);
	kill(child.pid, SIGKILL);
	tracee_reap(child.pid);
	TRY(parasite_forget_child(process, child.number));
	parasite_watch_remove(process->watch, child.watched);
	return result;
}

int parasite_copy_close_files(const struct parasite_process *process, const struct parasite_copy *copy,
			      struct pool *pool)
{
	const uint64_t args[6] = { 0, ~0u, CLOSE_RANGE_UNSHARE };
	const struct deadline soon = deadline_in_seconds(PATIENCE_S);
	struct parasite_state state;
	int64_t result;

	TRY(parasite_read_state(copy->pid, pool, &state));
	TRY(parasite_call(copy->pid, copy->mem, &process->place, &state, __NR_close_range, args, &soon, &result));
	return result < 0 ? fail((int)-result, "closing the descriptors of a copy of the task") : 0;
}

int parasite_forget_child(const struct parasite_process *process, int64_t number)
{
	const uint64_t args[6] = { (uint64_t)number, 0, __WALL, 0 };
	const struct deadline soon = deadline_in_seconds(PATIENCE_S);
	int64_t result = 0;

	TRY(parasite_call(process->tid, process->mem, &process->place, &process->state, __NR_wait4, args, &soon,
			  &result));
	return result == number || result == -ECHILD ? 0 : fail((int)-result, "reaping a copy of the task");
}

/* Its code may be another one than when the copy was made: it may have called execve(2). */
static int forget_in(pid_t pid, pid_t tid, int proc, int64_t number, struct pool *pool)
{
	AUTO(mappings_done) struct mappings mappings = { 0 };
	AUTO_CLOSE int mem = openat(proc, "mem", O_RDWR | O_CLOEXEC);
	struct parasite_process process = { .tid = tid, .proc = proc, .mem = mem };

	if (mem < 0)
		return -ESRCH;
	TRY(parasite_read_state(tid, pool, &process.state));
	TRY(mappings_read(proc, MAPPINGS_PLAIN, &mappings));
	TRY(parasite_find_place(mem, pid, &mappings, process.state.home, NULL, &process.place));
	return parasite_forget_child(&process, number);
}

/* Any thread will do; the first may have ended. */
static int stop_and_forget(pid_t pid, int64_t number)
{
	const struct deadline deadline = deadline_in_seconds(PATIENCE_S);
	AUTO(proc_pids_done) struct proc_pids tids = { 0 };
	AUTO_CLOSE int proc = proc_open(pid);
	struct pool *pool = pool_create();
	int signal, result = proc < 0 ? -ESRCH : proc_threads_read(proc, &tids);

	for (size_t i = 0; i < tids.n && result >= 0; i++) {
		result = tracee_seize(tids.items[i], true);
		if (result < 0) {
			result = result == -ESRCH && i + 1 < tids.n ? 0 : result;
			continue;
		}
		result = tracee_wait_stop(tids.items[i], &deadline, &signal);
		if (result == 0)
			result = forget_in(pid, tids.items[i], proc, number, pool);
		tracee_release(tids.items[i]);
		break;
	}
	pool_destroy(&pool);
	return result;
}

void parasite_copy_end(struct parasite_copy *copy, pid_t parent, struct parasite_watch *watch)
{
	int error = 0;

	if (copy->mem >= 0)
		close(copy->mem);
	if (copy->pid > 0) {
		kill(copy->pid, SIGKILL);
		tracee_reap(copy->pid);
		error = stop_and_forget(parent, copy->number);
	}
	if (error < 0 && error != -ESRCH) /* who is gone has left it to others */
		log_warn("a dead child, pid %d, stays with process %d until that ends", copy->pid, parent);
	parasite_watch_remove(watch, copy->watched);
	*copy = (struct parasite_copy){ .mem = -1, .watched = -1 };
}
