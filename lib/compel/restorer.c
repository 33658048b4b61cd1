/* SPDX-License-Identifier: LGPL-2.1-only */
/* Making tasks that run the blob from their first moment on. */
#include "lib/compel/restorer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arch_jump.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/pool.h"
#include "blob/abi/image.h"
#include "lib/compel/arena.h"
#include "lib/compel/remote.h"
#include "plan/plan.h"

int restorer_arena_create(uint64_t address, size_t size, struct arena **ret)
{
	struct arena *arena = xzalloc(sizeof(*arena));

	arena->address = address;
	arena->size = size;
	arena->fd = memfd_create("criu-arena", MFD_CLOEXEC);
	if (arena->fd < 0 || ftruncate(arena->fd, (off_t)size) < 0) {
		int error = fail_errno("making shared memory of %zu bytes", size);

		arena_destroy(arena);
		return error;
	}
	/* Sparse: pages come when they are used. */
	arena->local = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, arena->fd, 0);
	if (arena->local == MAP_FAILED) {
		int error = fail_errno("mapping %zu bytes", size);

		arena->local = NULL;
		arena_destroy(arena);
		return error;
	}
	arena_init(arena);
	*ret = arena;
	return 0;
}

void restorer_arena_close(struct arena **arena)
{
	if (*arena)
		arena_destroy(*arena);
	*arena = NULL;
}

uint64_t restorer_arena_start(const struct arena *arena)
{
	return arena->address;
}

size_t restorer_arena_size(const struct arena *arena)
{
	return arena->size;
}

int restorer_add(struct arena *arena, pid_t tid, pid_t parent, struct remote **ret)
{
	struct remote *remote = arena_add_remote(arena, SLOT_RESTORER);

	if (!remote)
		return fail(ENOMEM, "thread %d: no room left in the shared memory", tid);
	remote->tid = remote->wanted = tid;
	remote->slot->parent = parent;
	*ret = remote;
	return 0;
}

void restorer_set_tid(struct remote *remote, pid_t tid)
{
	remote->tid = tid;
}

void restorer_set_outer(struct remote *remote, const pid_t *numbers, unsigned n)
{
	remote->outer = numbers;
	remote->n_outer = n;
}

/* In the new task, which has one thread and a copy of all our memory; other threads of ours may have held any lock, so:
 * system calls only. */
static void __attribute__((noreturn)) arrive_in_arena(const struct restorer_birth *birth)
{
	void *at;

	/* The kernel writes to the area of restartable sequences behind the program's back; the memory will be gone. */
	if (__rseq_size)
		syscall(__NR_rseq, (char *)__builtin_thread_pointer() + __rseq_offset,
			__rseq_size > 32 ? __rseq_size : 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
	syscall(__NR_set_robust_list, NULL, 24);
	at = mmap((void *)birth->arena_address, birth->arena_size, PROT_READ | PROT_WRITE | PROT_EXEC,
		  MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, birth->arena_fd, 0);
	if (at != (void *)birth->arena_address)
		_exit(1);
	arch_jump(birth->arena_address + BLOB_ENTRY, birth->slot_address,
		  birth->slot_address + offsetof(struct slot, stack) + SLOT_STACK_SIZE);
}

int restorer_birth_init(struct restorer_birth *birth, struct remote *remote, const struct restorer_first *first)
{
	size_t n_outer = remote->n_outer ?: first->outer ? 1 : 0;

	if (remote->n_outer > RESTORER_LEVELS)
		return fail(EINVAL, "process %d has numbers in %u pid namespaces", first->tid, remote->n_outer);
	*birth = (struct restorer_birth){
		.flags = first->flags | (first->sibling ? CLONE_PARENT : 0),
		.exit_signal = first->sibling ? 0 : SIGCHLD,
		.tids = { first->tid, first->outer },
		.n_tids = first->tid ? 1 + n_outer : 0,
		.outer_is_wish = !remote->n_outer,
		.arena_fd = remote->arena->fd,
		.arena_address = remote->arena->address,
		.arena_size = remote->arena->size,
		.slot_address = remote->slot_address,
	};
	if (remote->n_outer)
		memcpy(birth->tids + 1, remote->outer, remote->n_outer * sizeof(*birth->tids));
	if (first->parent > 0)
		remote->slot->parent = -first->parent;
	return 0;
}

int restorer_birth_run(struct restorer_birth *birth)
{
	struct clone_args args = {
		.flags = birth->flags,
		.exit_signal = (uint64_t)birth->exit_signal,
		.set_tid = birth->n_tids ? (uintptr_t)birth->tids : 0,
		.set_tid_size = birth->n_tids,
	};
	sigset_t all, old;
	long pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = syscall(__NR_clone3, &args, sizeof(args));
	if (pid < 0 && args.set_tid_size > 1 && birth->outer_is_wish) {
		args.set_tid_size = 1;
		pid = syscall(__NR_clone3, &args, sizeof(args));
	}
	if (pid == 0)
		arrive_in_arena(birth);
	birth->pid = pid < 0 ? -errno : (pid_t)pid;
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid < 0 ? birth->pid : 0;
}

int restorer_birth_result(const struct restorer_birth *birth)
{
	if (birth->pid >= 0 || birth->pid == -EEXIST)
		return birth->pid < 0 ? birth->pid : 0;
	return fail(-birth->pid, "making the first task with pid %d", birth->tids[0]);
}

void restorer_born(struct remote *remote, const struct restorer_birth *birth)
{
	remote->tid = birth->pid;
}

int restorer_boot(struct remote *remote, const struct restorer_first *first)
{
	struct restorer_birth birth;

	TRY(restorer_birth_init(&birth, remote, first));
	(void)restorer_birth_run(&birth);
	TRY(restorer_birth_result(&birth));
	restorer_born(remote, &birth);
	return 0;
}

static void plan_clone(struct plan *plan, struct remote *made, uint64_t flags, int exit_signal, unsigned n,
		       size_t *ret_result)
{
	size_t size = made->n_outer * sizeof(pid_t);
	struct clone_args args = { .flags = flags, .exit_signal = (uint64_t)exit_signal, .set_tid_size = n };
	size_t at = plan_space(plan, sizeof(args) + sizeof(pid_t) + size);
	const char *why =
		plan_why(plan, "make thread %d%s", made->wanted, flags & CLONE_THREAD ? "" : " as a new process");
	struct step *clone;
	struct plan_arg step[] = { D(at), V(sizeof(args)), V(made->slot_address) };

	memcpy(plan_at(plan, at), &args, sizeof(args));
	memcpy((char *)plan_at(plan, at) + sizeof(args), &made->wanted, sizeof(made->wanted));
	if (size)
		memcpy((char *)plan_at(plan, at) + sizeof(args) + sizeof(made->wanted), made->outer, size);
	/* The address of the wanted tid is known only over there. */
	if (n)
		plan_step(plan, why, STEP_SET_LONG,
			  (struct plan_arg[]){ D(at + offsetof(struct clone_args, set_tid)), D(at + sizeof(args)) }, 2);
	clone = plan_step(plan, why, STEP_CLONE, step, 3);
	if (ret_result) {
		clone->flags |= STEP_MAY_FAIL;
		*ret_result = plan_keep_result(plan, clone);
	}
}

int restorer_plan_clone(struct plan *plan, struct remote *made, uint64_t flags, int exit_signal, size_t *ret_result)
{
	plan_clone(plan, made, flags, exit_signal, made->n_outer + 1, ret_result);
	return 0;
}

void restorer_plan_clone_some(struct plan *plan, struct remote *made, uint64_t flags, int exit_signal, unsigned levels,
			      size_t *ret_result)
{
	plan_clone(plan, made, flags, exit_signal, levels, ret_result);
}

void restorer_plan_find_us(struct plan *plan, int us, unsigned slot)
{
	struct step *step;

	/* In a pid namespace of its own it cannot see us. */
	if (us > 0)
		step = plan_syscall(plan, "find criu", __NR_fcntl, V(us), V(F_DUPFD_CLOEXEC), V(0));
	else
		step = plan_syscall(plan, "find criu", __NR_pidfd_open, V(getpid()), V(0));
	step->to_slot = (uint8_t)slot;
}

void restorer_plan_close_all(struct plan *plan, int us)
{
	if (us > 0)
		plan_syscall(plan, "close all descriptors", __NR_close_range, V(0), V(us - 1), V(0));
	plan_syscall(plan, "close all descriptors", __NR_close_range, V(us > 0 ? us + 1 : 0), V(~0u), V(0));
}

void restorer_reset(struct remote *made)
{
	struct slot *slot = made->slot;
	int64_t parent = slot->parent, wakeup = slot->wakeup;

	memset(slot, 0, offsetof(struct slot, stack));
	slot->role = SLOT_RESTORER;
	slot->wakeup = wakeup;
	slot->parent = parent;
	made->posted = NULL;
}

#define ARRIVAL_PAUSE 20000 /* microseconds */

static int wait_until_it_runs(struct remote *remote, const struct deadline *deadline)
{
	for (;;) {
		uint32_t seen = arena_rung(remote->arena);

		if (__atomic_load_n(&remote->slot->tid, __ATOMIC_SEQ_CST))
			return 0;
		if (deadline_passed(deadline))
			return refuse(ETIMEDOUT, "new thread %d did not start in time", remote->wanted);
		if (!arena_sleep(remote->arena, seen, ARRIVAL_PAUSE) && remote_is_dead(remote))
			return refuse(ESRCH, "new thread %d died before it began", remote->wanted);
	}
}

int restorer_wait_arrival(struct remote *remote, const struct deadline *deadline)
{
	int error;

	arena_await(remote);
	error = wait_until_it_runs(remote, deadline);
	arena_forget(remote->arena);
	return error;
}

int restorer_wait_again(struct remote *remote, struct arch_thread_state *state, uint64_t left_ns)
{
	return arch_wait_again(remote->tid, state, remote->arena->address + BLOB_SYSCALL,
			       remote->slot_address + offsetof(struct slot, stack) + SLOT_STACK_SIZE,
			       remote->slot_address + offsetof(struct slot, stack), remote->slot->stack, left_ns);
}

int restorer_unmap_begin(struct restorer_unmapping *unmapping, struct remote *remote,
			 const struct arch_thread_state *any, uint64_t start, uint64_t size)
{
	*unmapping = (struct restorer_unmapping){ remote, 0 };
	/* The code page goes away under the call; the stop behind the call comes before the next instruction would be
	 * fetched. */
	TRY(arch_remote_prepare(remote->tid, any, remote->arena->address + BLOB_SYSCALL,
				remote->slot_address + offsetof(struct slot, stack) + SLOT_STACK_SIZE, __NR_munmap,
				(const uint64_t[6]){ start, size }));
	return arch_remote_run(remote->tid); /* to the entry */
}

int restorer_unmap_go_on(struct restorer_unmapping *unmapping)
{
	const struct deadline soon = deadline_in_seconds(GRACE_HOME_S);

	TRY(arch_remote_wait(unmapping->remote->tid, &soon, &unmapping->lost_stop));
	return arch_remote_run(unmapping->remote->tid); /* to the exit */
}

int restorer_unmap_end(struct restorer_unmapping *unmapping)
{
	const struct deadline soon = deadline_in_seconds(GRACE_HOME_S);
	pid_t tid = unmapping->remote->tid;
	int64_t result;

	TRY(arch_remote_wait(tid, &soon, &unmapping->lost_stop));
	if (unmapping->lost_stop)
		syscall(__NR_tkill, tid, unmapping->lost_stop);
	TRY(arch_remote_result(tid, &result));
	if (result < 0)
		return fail((int)-result, "unmapping criu's memory from task %d", tid);
	return 0;
}
