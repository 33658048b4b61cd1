/* SPDX-License-Identifier: LGPL-2.1-only */
/* Handing plans to threads that run the blob, and hearing how they went. */
#include "lib/compel/remote.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "blob/abi/image.h"
#include "kern/proc/proc.h"
#include "kern/proc/stat.h"
#include "lib/compel/parasite.h"
#include "lib/compel/arena.h"
#include "lib/compel/life.h"
#include "lib/compel/tracee.h"
#include "plan/plan-print.h"
#include "plan/plan.h"

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t at = (arena->used + 63) / 64 * 64;

	if (size > arena->size - LIFE_SIZE || at > arena->size - LIFE_SIZE - size)
		return NULL;
	arena->used = at + size;
	return arena->local + at;
}

uint64_t arena_address(const struct arena *arena, const void *local)
{
	return arena->address + (uint64_t)((const char *)local - arena->local);
}

const char arena_mark[16] = "criu dump memory";

void arena_init(struct arena *arena)
{
	size_t size = (size_t)(blob_image_end - blob_image);

	_Static_assert(ARENA_MARK + sizeof(arena_mark) <= ARENA_CODE, "the mark is not written over there");
	_Static_assert(ARENA_WAKEUP >= ARENA_CODE && ARENA_WAKEUP + sizeof(struct wakeup) <= ARENA_HEADER,
		       "the wakeup is");
	if (size > ARENA_MARK)
		abort(); /* the style test checks the size of the blob */
	memcpy(arena->local + ARENA_MARK, arena_mark, sizeof(arena_mark));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	memcpy(arena->local, blob_image, size);
	arena->used = ARENA_HEADER;
}

struct remote *arena_add_remote(struct arena *arena, enum slot_role role)
{
	struct slot *slot = arena_alloc(arena, sizeof(*slot));
	struct remote *remote;

	if (!slot)
		return NULL;
	memset(slot, 0, offsetof(struct slot, stack));
	slot->role = role;
	slot->wakeup = (int64_t)arena->address + ARENA_WAKEUP;
	slot->life = (int64_t)(arena->address + arena->size - LIFE_SIZE);
	remote = xzalloc(sizeof(*remote));
	*remote = (struct remote){
		.arena = arena,
		.next = arena->first,
		.slot = slot,
		.slot_address = arena_address(arena, slot),
		.parasite = role == SLOT_PARASITE,
	};
	arena->first = remote;
	return remote;
}

void arena_destroy(struct arena *arena)
{
	while (arena->first) {
		struct remote *remote = arena->first;

		arena->first = remote->next;
		free(remote);
	}
	if (arena->holds)
		life_release(arena->local + arena->size);
	if (arena->local)
		munmap(arena->local, arena->size + (arena->holds ? LIFE_PAGE : 0));
	if (arena->fd >= 0)
		close(arena->fd);
	free(arena);
}

/* How long to wait for a thread before seeing whether it lives, in microseconds. */
#define SHORT_PAUSE 100
#define LONG_PAUSE  5000
/* A restorer seldom dies, and to look takes as long as its plan. */
#define RESTORER_PAUSE 1600

static struct wakeup *arena_wakeup(const struct arena *arena)
{
	return (struct wakeup *)(arena->local + ARENA_WAKEUP);
}

void arena_await(struct remote *remote)
{
	__atomic_store_n(&arena_wakeup(remote->arena)->awaited, (int64_t)remote->slot_address, __ATOMIC_SEQ_CST);
}

void arena_forget(struct arena *arena)
{
	__atomic_store_n(&arena_wakeup(arena)->awaited, 0, __ATOMIC_SEQ_CST);
}

uint32_t arena_rung(const struct arena *arena)
{
	return __atomic_load_n(&arena_wakeup(arena)->rung, __ATOMIC_SEQ_CST);
}

static int place_plan(struct remote *remote, const struct plan *plan)
{
	size_t size = plan_size(plan);

	if (size > remote->plan_capacity) {
		/* What follows is likely to be as long; the old room stays unused until the arena goes. */
		remote->plan = arena_alloc(remote->arena, size);
		if (!remote->plan)
			return fail(ENOMEM, "no room for %zu bytes of orders for thread %d", size, remote->tid);
		remote->plan_capacity = size;
	}
	plan_write(plan, remote->plan);
	remote->slot->plan = (int64_t)arena_address(remote->arena, remote->plan);
	return 0;
}

int remote_post_unborn(struct remote *remote, const struct plan *plan)
{
	TRY(place_plan(remote, plan));
	plan_list(plan, remote->tid);
	remote->posted = plan;
	__atomic_store_n(&remote->slot->state, SLOT_POSTED, __ATOMIC_SEQ_CST);
	return 0;
}

int remote_post(struct remote *remote, const struct plan *plan)
{
	TRY(remote_post_unborn(remote, plan));
	if (remote->parasite)
		return parasite_send(remote);
	if (syscall(__NR_futex, &remote->slot->state, FUTEX_WAKE, 1, NULL, NULL, 0) < 0)
		return fail_errno("waking thread %d", remote->tid);
	return 0;
}

int remote_post_ahead(struct remote *remote, const struct plan *plan)
{
	TRY(remote_post(remote, plan));
	remote->ahead = true;
	return 0;
}

void remote_forget(struct remote *remote)
{
	remote->ahead = false;
}

bool arena_sleep(struct arena *arena, uint32_t seen, unsigned microseconds)
{
	struct timespec time = { .tv_nsec = microseconds * 1000 };

	return syscall(__NR_futex, &arena_wakeup(arena)->rung, FUTEX_WAIT, seen, &time, NULL, 0) == 0 ||
	       errno == EAGAIN;
}

/* A zombie still takes signals: its parent, another restorer, will not reap it. */
bool remote_is_dead(const struct remote *remote)
{
	struct proc_stat stat = { .state = 'X' };
	AUTO_CLOSE int proc = remote->tid ? proc_open(remote->tid) : -1;

	if (!remote->tid)
		return false;
	if (proc >= 0)
		(void)proc_stat_read(proc, &stat); /* gone meanwhile */
	return stat.state == 'Z' || stat.state == 'X';
}

/* A SIGCONT for a seized thread stops it, for its tracer to hear of it (PTRACE_EVENT_STOP, ptrace(2)), even if the
 * signal is blocked. */
static int pass_stop(const struct remote *remote)
{
	siginfo_t info = { 0 };
	bool event;

	if (waitid(P_PID, (id_t)remote->tid, &info, WSTOPPED | WNOHANG | __WALL) < 0 || info.si_pid != remote->tid)
		return 0;
	event = info.si_status >> 8 == PTRACE_EVENT_STOP;
	/* Any other signal comes from a fault of its own: it dies of it, and that is noticed. */
	(void)ptrace(PTRACE_CONT, remote->tid, NULL, (void *)(long)(event ? 0 : info.si_status & 0x7f));
	return 1;
}

/* Returns 1 if the thread stood still and was let go on. */
static int check_alive(struct remote *remote)
{
	if (remote->parasite)
		return parasite_check(remote);
	if (remote_is_dead(remote))
		return refuse(ESRCH, "the new task %d has died", remote->tid);
	return remote->tid ? pass_stop(remote) : 0;
}

static int report_failed_step(struct remote *remote)
{
	const struct slot *slot = remote->slot;
	char why[256];

	if (!slot->error)
		return 0;
	plan_describe_step(remote->posted, slot->failed_step, why, sizeof(why));
	return fail((int)-slot->error, "thread %d: step %u: %s", remote->tid, slot->failed_step, why);
}

static int wait_for_end(struct remote *remote, const struct deadline *deadline)
{
	struct slot *slot = remote->slot;
	unsigned pause = remote->parasite ? SHORT_PAUSE : RESTORER_PAUSE;
	int error;

	for (unsigned rounds = 0;; rounds++) {
		uint32_t seen = arena_rung(remote->arena);
		uint32_t state = __atomic_load_n(&slot->state, __ATOMIC_SEQ_CST);

		if (state == SLOT_DONE)
			return 0;
		if (deadline_passed(deadline))
			return refuse(ETIMEDOUT,
				      "thread %d did not finish in time what it was told to do (is it stopped or "
				      "frozen?); raise --timeout",
				      remote->tid);
		/* A short plan is over before a sleep would be. */
		if (rounds < 100)
			continue;
		if (arena_sleep(remote->arena, seen, pause))
			continue;
		error = check_alive(remote);
		TRY(error);
		/* Who is stopped once may be stopped all the time. */
		pause = error ? SHORT_PAUSE : pause * 2 < LONG_PAUSE ? pause * 2 : LONG_PAUSE;
	}
}

int remote_wait(struct remote *remote, const struct deadline *deadline)
{
	int error;

	remote->ahead = false;
	arena_await(remote);
	error = wait_for_end(remote, deadline);
	arena_forget(remote->arena);
	return error ?: report_failed_step(remote);
}

int remote_await_idle(struct remote *remote, const struct deadline *deadline)
{
	uint32_t state = SLOT_POSTED;

	while ((state = __atomic_load_n(&remote->slot->state, __ATOMIC_SEQ_CST)) == SLOT_POSTED ||
	       state == SLOT_RUNNING) {
		if (deadline_passed(deadline) || remote_is_dead(remote))
			return -ETIMEDOUT;
		usleep(100);
	}
	return 0;
}

int remote_run(struct remote *remote, const struct plan *plan, const struct deadline *deadline)
{
	if (remote->ahead)
		TRY(remote_wait(remote, deadline));
	TRY(remote_post(remote, plan));
	return remote_wait(remote, deadline);
}

const void *remote_result(const struct remote *remote, size_t offset)
{
	return remote->plan + plan_place(remote->posted, offset);
}

int64_t remote_value(const struct remote *remote, size_t offset)
{
	int64_t value;

	memcpy(&value, remote_result(remote, offset), sizeof(value));
	return value;
}

pid_t remote_tid(const struct remote *remote)
{
	return remote->tid;
}
