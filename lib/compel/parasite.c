/* SPDX-License-Identifier: LGPL-2.1-only */
/* Threads of a living program that run a plan and come home. */
#include "lib/compel/parasite.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/io.h"
#include "base/log.h"
#include "base/page.h"
#include "base/pool.h"
#include "blob/abi/image.h"
#include "kern/proc/maps.h"
#include "lib/compel/arena.h"
#include "lib/compel/leftover.h"
#include "lib/compel/life.h"
#include "lib/compel/remote.h"
#include "lib/compel/tracee.h"
#include "lib/compel/watch.h"

#define ROOM_TRIES  64
#define ROOM_STEP   65536
#define ALL_SIGNALS (~0ull)
#define MEMFD_EXEC  0x10u /* MFD_EXEC, since Linux 6.3 */

static int call_in_process(const struct parasite_process *process, long nr, const uint64_t args[6], int64_t *ret)
{
	const struct deadline soon = deadline_in_seconds(GRACE_HOME_S);

	return parasite_call(process->tid, process->mem, &process->place, &process->state, nr, args, &soon, ret);
}

static int refuse_code(void)
{
	return refuse(EACCES,
		      "the task may not have executable memory of ours (PR_SET_MDWE, vm.memfd_noexec, a security "
		      "module)");
}

/*
 * What the call that maps the arena over there returned. Not logged: -EEXIST, something lies there; -EACCES, memory
 * cannot be both writable and executable there.
 */
static int judge_mapping(const struct parasite_process *process, struct arena *arena, uint64_t address, int64_t result)
{
	if (result == -EEXIST || result == -EACCES)
		return (int)result;
	if (result == -ENOMEM)
		return refuse(ENOMEM,
			      "the task has no room for %zu bytes of ours: raise its limit of address space (prlimit "
			      "--pid %d --as) "
			      "or of areas (sysctl vm.max_map_count)",
			      arena->size, process->tid);
	if (result < 0 && result > -4096)
		return fail((int)-result, "mapping %zu bytes of ours in the task", arena->size);
	if (address && (uint64_t)result != address) { /* a kernel before 4.17 takes it as a hint */
		(void)parasite_unmap(process, (uint64_t)result, arena->size);
		return -EEXIST;
	}
	arena->address = (uint64_t)result;
	parasite_watch_move(process->watch, arena->watched, arena->address);
	return 0;
}

/* From now on it may be there. */
static void prepare_mapping(const struct parasite_process *process, const struct arena *arena, uint64_t address,
			    int flags, int fd, uint64_t ret_args[6])
{
	parasite_watch_move(process->watch, arena->watched, address);
	ret_args[0] = address;
	ret_args[1] = arena->size;
	ret_args[2] = PROT_READ | PROT_WRITE | (arena->split ? 0 : PROT_EXEC);
	ret_args[3] = (uint64_t)(MAP_SHARED | flags | (address ? MAP_FIXED_NOREPLACE : 0));
	ret_args[4] = (uint64_t)fd;
	ret_args[5] = 0;
}

static int map_at(const struct parasite_process *process, struct arena *arena, uint64_t address, int flags, int fd)
{
	uint64_t args[6];
	int64_t result;

	prepare_mapping(process, arena, address, flags, fd, args);
	TRY(call_in_process(process, __NR_mmap, args, &result));
	return judge_mapping(process, arena, address, result);
}

/* Without a wish: at an address that is known before it is mapped, for the watch. Memory of ours may lie there, too. */
static int map_over_there(const struct parasite_process *process, struct arena *arena, uint64_t address, int flags,
			  int fd)
{
	uint64_t wanted = address ?: process->place.room;
	int error = map_at(process, arena, wanted, flags, fd);

	for (unsigned tries = 0; error == -EEXIST && !address && wanted; tries++) {
		wanted = tries < ROOM_TRIES ? wanted + (arena->size + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP : 0;
		error = map_at(process, arena, wanted, flags, fd);
	}
	return error == -EEXIST ? fail(EEXIST, "mapping %zu bytes at 0x%" PRIx64 " in the task", arena->size, address)
				: error;
}

/* Anonymous memory over there; a descriptor of it, or -errno, not logged. */
static int open_anonymous(const struct arena *arena, int proc)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, arena->address, arena->address + arena->size);
	fd = openat(proc, path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The address of an empty string: a program has it in the ELF header of its vdso, if nowhere else (EI_PAD, elf(5)). */
static int find_empty_string(const struct parasite_process *process, uint64_t *ret)
{
	AUTO(mappings_done) struct mappings mappings = { 0 };

	TRY(mappings_read(process->proc, MAPPINGS_PLAIN, &mappings));
	for (size_t i = 0; i < mappings.n; i++) {
		const struct mapping *m = &mappings.items[i];
		char ident[EI_NIDENT];

		if (!(m->prot & PROT_READ) || m->start >> 63 ||
		    io_pread(process->mem, ident, sizeof(ident), (off_t)m->start) != sizeof(ident))
			continue;
		if (memcmp(ident, ELFMAG, SELFMAG) == 0 && !ident[EI_NIDENT - 1]) {
			*ret = m->start + EI_NIDENT - 1;
			return 0;
		}
	}
	return refuse(EOPNOTSUPP, "the task has no ELF file mapped");
}

/* Makes a memfd over there and opens it here. Returns our descriptor; *theirs is still open over there. */
static int open_memfd(const struct parasite_process *process, struct arena *arena, int *theirs)
{
	uint64_t name = 0;
	int64_t result;
	char path[32];
	int fd;

	TRY(find_empty_string(process, &name));
	TRY(call_in_process(process, __NR_memfd_create, (const uint64_t[6]){ name, MFD_CLOEXEC | MEMFD_EXEC },
			    &result));
	if (result == -EINVAL) /* a kernel before 6.3 */
		TRY(call_in_process(process, __NR_memfd_create, (const uint64_t[6]){ name, MFD_CLOEXEC }, &result));
	if (result < 0)
		return fail((int)-result, "making shared memory in the task");
	*theirs = (int)result;
	snprintf(path, sizeof(path), "fd/%d", *theirs);
	fd = openat(process->proc, path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("opening the memory shared with the task (/proc/PID/%s)", path);
	if (ftruncate(fd, (off_t)arena->size) < 0) {
		int error = fail_errno("making %zu bytes of shared memory", arena->size);

		close(fd);
		return error;
	}
	return fd;
}

/* The code, in the place of the same bytes of the memory that can only be written. */
static int map_code(const struct parasite_process *process, const struct arena *arena, int fd)
{
	const uint64_t args[6] = { arena->address,	   ARENA_CODE,	 PROT_READ | PROT_EXEC,
				   MAP_SHARED | MAP_FIXED, (uint64_t)fd, 0 };
	int64_t result;

	TRY(call_in_process(process, __NR_mmap, args, &result));
	if (result == (int64_t)arena->address)
		return 0;
	(void)parasite_unmap(process, arena->address, arena->size);
	return result == -EACCES || result == -EPERM ? refuse_code() : fail((int)-result, "mapping code in the task");
}

static int share_by_memfd(const struct parasite_process *process, struct arena *arena, uint64_t address)
{
	int theirs = -1, fd = open_memfd(process, arena, &theirs), error = fd;
	int64_t result;

	if (fd >= 0)
		error = map_over_there(process, arena, address, 0, theirs);
	if (error == -EACCES && fd >= 0)
		error = refuse_code();
	if (error == 0 && arena->split)
		error = map_code(process, arena, theirs);
	if (theirs >= 0)
		(void)call_in_process(process, __NR_close, (const uint64_t[6]){ (uint64_t)theirs }, &result);
	if (error < 0 && fd >= 0)
		close(fd);
	return error < 0 ? error : fd;
}

/* A descriptor of the memory that was mapped over there, or of other memory, if nobody lets us have one. */
static int share_memory(const struct parasite_process *process, struct arena *arena, uint64_t address, bool no_memfd)
{
	int fd = open_anonymous(arena, process->proc);

	if (fd >= 0)
		return fd;
	TRY(parasite_unmap(process, arena->address, arena->size));
	arena->address = 0;
	if (no_memfd || (fd != -EPERM && fd != -EACCES))
		return fail(-fd, "opening the memory shared with the task (/proc/PID/map_files)");
	return share_by_memfd(process, arena, address);
}

/* Here it is followed by a page of ours: life.h. */
static int map_here(struct arena *arena, int fd)
{
	char *room = mmap(NULL, arena->size + LIFE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error;

	if (room == MAP_FAILED)
		return fail_errno("mapping %zu bytes", arena->size);
	arena->local = room;
	arena->holds = true;
	if (mmap(room, arena->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		return fail_errno("mapping the memory shared with the task");
	/* First of all: what has the mark is ours, should we be killed. */
	arena_init(arena);
	(void)madvise(room, arena->size, MADV_POPULATE_WRITE); /* faults one by one cost more; Linux 5.14 */
	error = life_hold(room + arena->size);
	return error < 0 ? fail(-error, "making a robust futex") : 0;
}

static struct arena *create_arena(const struct parasite_process *process, size_t size)
{
	struct arena *arena = xzalloc(sizeof(*arena));

	arena->fd = -1;
	arena->pid = process->tid;
	arena->size = page_align(ARENA_HEADER + size + LIFE_SIZE);
	arena->watched = parasite_watch_add(process->watch, process, arena->size);
	return arena;
}

static void forget_arena(const struct parasite_process *process, struct arena *arena)
{
	parasite_watch_remove(process->watch, arena->watched);
	free(arena);
}

static int share_split(const struct parasite_process *process, struct arena *arena, uint64_t address, bool no_memfd)
{
	if (no_memfd || ARENA_CODE % sysconf(_SC_PAGESIZE))
		return refuse_code();
	arena->split = true;
	return share_by_memfd(process, arena, address);
}

/* It is mapped over there, unless that failed. */
static int begin_sharing(const struct parasite_process *process, int error, uint64_t address, bool no_memfd,
			 struct arena *arena, struct arena **ret)
{
	AUTO_CLOSE int fd = error == -EACCES ? share_split(process, arena, address, no_memfd)
			    : error < 0	     ? error
					     : share_memory(process, arena, address, no_memfd);

	if (fd == -ETIMEDOUT) { /* it may be there yet: the watch looks when we have ended */
		free(arena);
		return fd;
	}
	if (fd < 0) {
		forget_arena(process, arena);
		return fd;
	}
	error = map_here(arena, fd);
	if (error < 0) {
		(void)parasite_arena_close(&arena, process); /* the first failure is what matters */
		return error;
	}
	*ret = arena;
	return 0;
}

int parasite_arena_open_at(const struct parasite_process *process, size_t size, uint64_t address, bool no_memfd,
			   struct arena **ret)
{
	struct arena *arena = create_arena(process, size);
	int error = map_over_there(process, arena, address, MAP_ANONYMOUS, -1);

	return begin_sharing(process, error, address, no_memfd, arena, ret);
}

int parasite_arena_open(const struct parasite_process *process, size_t size, struct arena **ret)
{
	return parasite_arena_open_at(process, size, 0, false, ret);
}

static struct parasite_call prepare_call(const struct parasite_process *process)
{
	return (struct parasite_call){
		.tid = process->tid,
		.mem = process->mem,
		.place = &process->place,
		.state = &process->state,
		.deadline = deadline_in_seconds(GRACE_HOME_S),
	};
}

int parasite_arena_open_begin(struct parasite_opening *opening, const struct parasite_process *process, size_t size)
{
	uint64_t args[6];
	int error;

	opening->process = process;
	opening->call = prepare_call(process);
	opening->arena = create_arena(process, size);
	prepare_mapping(process, opening->arena, process->place.room, MAP_ANONYMOUS, -1, args);
	error = parasite_call_begin(&opening->call, __NR_mmap, args);
	if (error < 0)
		forget_arena(process, opening->arena);
	return error;
}

int parasite_arena_open_end(struct parasite_opening *opening, struct arena **ret)
{
	const struct parasite_process *process = opening->process;
	int64_t result = 0;
	int error = parasite_call_end(&opening->call, &result);

	if (error == 0)
		error = judge_mapping(process, opening->arena, process->place.room, result);
	if (error == -EEXIST) /* it looks for another place */
		error = map_over_there(process, opening->arena, 0, MAP_ANONYMOUS, -1);
	return begin_sharing(process, error, 0, false, opening->arena, ret);
}

size_t parasite_capacity(const struct arch_thread_state *home)
{
	return sizeof(struct slot) + arch_frame_size(home) + 256;
}

int parasite_open(struct arena *arena, pid_t tid, const struct parasite_state *state, struct remote **ret)
{
	struct remote *remote = arena_add_remote(arena, SLOT_PARASITE);
	void *frame = arena_alloc(arena, arch_frame_size(state->alone));

	if (!remote || !frame)
		return fail(ENOMEM, "thread %d: no room left in the shared memory", tid);
	remote->frame = frame;
	parasite_aim(remote, tid, state);
	*ret = remote;
	return 0;
}

void parasite_aim(struct remote *remote, pid_t tid, const struct parasite_state *state)
{
	remote->tid = tid;
	remote->state = *state;
	remote->slot->home = (int64_t)arch_frame_write(state->alone, state->sigmask, remote->frame,
						       arena_address(remote->arena, remote->frame));
}

/* It is in the blob as soon as it runs. */
static int enter_blob(struct remote *remote)
{
	uint64_t stack = remote->slot_address + offsetof(struct slot, stack) + SLOT_STACK_SIZE;

	/* If we die here, the registers decide where the thread goes: with those of the blob it gets its own mask at
	 * the end. */
	remote->away = true;
	TRY(arch_enter(remote->tid, remote->state.home, remote->arena->address + BLOB_ENTRY, remote->slot_address,
		       stack));
	return tracee_set_sigmask(remote->tid, ALL_SIGNALS);
}

int parasite_park(struct remote *remote, bool no_calls)
{
	remote->slot->role = SLOT_PARKED;
	remote->slot->grace = no_calls ? -GRACE_SPINNING_MS : GRACE_PARKED_MS;
	parasite_wake(remote);
	return enter_blob(remote);
}

void parasite_hold(struct remote *remote)
{
	__atomic_store_n(&remote->slot->state, SLOT_DONE, __ATOMIC_SEQ_CST);
}

void parasite_wake(struct remote *remote)
{
	__atomic_store_n(&remote->slot->state, SLOT_LEFT, __ATOMIC_SEQ_CST);
}

int parasite_unpark(struct remote *remote)
{
	return parasite_put_back(remote);
}

int parasite_send(struct remote *remote)
{
	TRY(enter_blob(remote));
	if (ptrace(PTRACE_CONT, remote->tid, NULL, NULL) < 0)
		return fail_errno("letting thread %d run", remote->tid);
	return 0;
}

/* Takes note of a stop. Returns 1 if the thread shall stay in it. */
static int look_at_stop(struct remote *remote, int status)
{
	if (!WIFSTOPPED(status))
		return refuse(ESRCH, "thread %d was killed while it was looked at", remote->tid);
	if (status >> 16 == PTRACE_EVENT_STOP)
		return 0;
	/* Somebody stops the process just now. It must stay stopped, but only when it has its own registers again. */
	if (WSTOPSIG(status) == SIGSTOP) {
		remote->lost_stop = SIGSTOP;
		return 0;
	}
	remote->stopped = true;
	(void)refuse(EIO, "thread %d got signal %d (%s) inside our code", remote->tid, WSTOPSIG(status),
		     strsignal(WSTOPSIG(status)));
	return 1;
}

static int run_on(struct remote *remote)
{
	if (ptrace(PTRACE_CONT, remote->tid, NULL, NULL) < 0 && errno != ESRCH)
		return fail_errno("letting thread %d run", remote->tid);
	return 0;
}

int parasite_check(struct remote *remote)
{
	int status, result;
	pid_t pid;

	if (remote->stopped)
		return -EIO;
	pid = waitpid(remote->tid, &status, __WALL | WNOHANG);
	if (pid == 0)
		return 0;
	if (pid < 0)
		return refuse(ESRCH, "thread %d is not traced any more", remote->tid);
	result = look_at_stop(remote, status);
	TRY(result);
	if (result)
		return -EIO;
	TRY(run_on(remote));
	return 1;
}

/* Once: a second request would stop it again when it runs on. */
static int ask_to_halt(struct remote *remote)
{
	if (remote->stopped || remote->asked)
		return 0;
	TRY(tracee_interrupt(remote->tid));
	remote->asked = true;
	return 0;
}

int parasite_halt(struct remote *remote, const struct deadline *deadline)
{
	if (remote->stopped)
		return 0;
	TRY(ask_to_halt(remote));
	for (;;) {
		int status, result;

		TRY(tracee_wait(remote->tid, deadline, &status));
		result = look_at_stop(remote, status);
		TRY(result);
		if (result || status >> 16 == PTRACE_EVENT_STOP)
			break;
		TRY(run_on(remote));
	}
	remote->stopped = true;
	remote->asked = false;
	return 0;
}

void parasite_catch_begin(struct remote *remote)
{
	if (remote->away)
		(void)ask_to_halt(remote); /* parasite_catch() tells, if it is gone */
}

int parasite_catch(struct remote *remote, const struct deadline *deadline)
{
	if (!remote->away)
		return 0;
	TRY(parasite_halt(remote, deadline));
	return parasite_put_back(remote);
}

int parasite_put_back(struct remote *remote)
{
	if (!remote->away)
		return 0;
	/* In this order, as in enter_blob(). */
	TRY(tracee_set_sigmask(remote->tid, remote->state.sigmask));
	TRY(arch_state_set_general(remote->tid, remote->state.home));
	remote->away = remote->stopped = false;
	if (remote->lost_stop)
		syscall(__NR_tkill, remote->tid, remote->lost_stop);
	remote->lost_stop = 0;
	return 0;
}

int parasite_arena_close(struct arena **arena, const struct parasite_process *process)
{
	struct arena *s = *arena;
	int error;

	if (!s)
		return 0;
	*arena = NULL;
	error = parasite_unmap(process, s->address, s->size);
	if (error == 0)
		parasite_watch_remove(process->watch, s->watched);
	arena_destroy(s);
	return error;
}

struct parasite_left parasite_arena_leave(struct arena **arena)
{
	const struct parasite_left left = { (*arena)->address, (*arena)->size, (*arena)->watched };

	arena_destroy(*arena);
	*arena = NULL;
	return left;
}

int parasite_left_remove(const struct parasite_left *left, const struct parasite_process *process)
{
	TRY(parasite_unmap(process, left->address, left->size));
	parasite_left_forget(left, process->watch);
	return 0;
}

void parasite_left_forget(const struct parasite_left *left, struct parasite_watch *watch)
{
	parasite_watch_remove(watch, left->watched);
}

int parasite_arena_close_begin(struct parasite_closing *closing, struct arena **arena,
			       const struct parasite_process *process)
{
	closing->process = process;
	closing->arena = *arena;
	*arena = NULL;
	closing->call = prepare_call(process);
	closing->begun = parasite_call_begin(&closing->call, __NR_munmap,
					     (const uint64_t[6]){ closing->arena->address, closing->arena->size });
	return closing->begun;
}

int parasite_arena_close_end(struct parasite_closing *closing)
{
	int64_t result = 0;
	int error = closing->begun;

	if (error == 0)
		error = parasite_call_end(&closing->call, &result);
	if (error == 0 && result < 0)
		error = fail((int)-result, "removing our memory from the task");
	if (error == 0)
		parasite_watch_remove(closing->process->watch, closing->arena->watched);
	arena_destroy(closing->arena);
	return error;
}
