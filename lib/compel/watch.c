/* SPDX-License-Identifier: LGPL-2.1-only */
/* A process that takes our memory out of other processes when we were killed. */
#include "lib/compel/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/deadline.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/guard.h"
#include "base/io.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/vector.h"
#include "kern/pidfd.h"
#include "kern/proc/children.h"
#include "kern/proc/maps.h"
#include "kern/proc/proc.h"
#include "kern/proc/status.h"
#include "lib/compel/copy.h"
#include "lib/compel/leftover.h"
#include "lib/compel/parasite.h"
#include "lib/compel/tracee.h"

#define CAPACITY    16384
#define HOMEWARD_US 500 /* until it is looked again whether a thread is at home */

struct watched {
	bool used;
	pid_t pid;
	uint64_t address, size;
	bool is_child;	  /* it is no memory, but a child to be forgotten */
	int64_t child;	  /* its number as the process sees it; negative = it was not made, 0 = not known: */
	uint64_t told_at; /* here in the process lies the number, 0 = nowhere; or still this one: */
	int told_before;
	struct parasite_place place;
};

struct parasite_watch {
	int us;		/* pidfd */
	uint32_t ready; /* guard_report() */
	pid_t guard;
	bool sent_away;
	int n;				/* that were used: the others have no memory yet */
	struct watched items[CAPACITY]; /* shared with the guard */
};

struct stopped_thread {
	pid_t tid, pid;
	bool stands, gone;
	struct parasite_state state;
};

struct sweep {
	const struct parasite_watch *watch;
	struct deadline deadline;
	struct pool *pool;
	VECTOR(struct stopped_thread) threads;
};

/* --- in the guard --- */

static bool is_known(const struct sweep *s, pid_t tid)
{
	for (size_t i = 0; i < s->threads.n; i++)
		if (s->threads.items[i].tid == tid)
			return true;
	return false;
}

/* Another criu may have come already: it is waited for. -ESRCH: the thread has ended, though others may live. */
static int seize_in_turn(const struct sweep *s, int proc, pid_t tid)
{
	for (;;) {
		AUTO(proc_status_done) struct proc_status status = { 0 };
		int error = tracee_seize(tid, false);

		if (error != -EPERM)
			return error;
		if (proc_status_read_thread(proc, tid, &status) < 0 || status.state == 'Z' || status.state == 'X')
			return -ESRCH;
		if (deadline_passed(&s->deadline))
			return error;
		usleep(HOMEWARD_US);
	}
}

/* Asks the threads of a process to stop that have not been asked yet. Returns how many there were. */
static int ask_threads(struct sweep *s, pid_t pid)
{
	AUTO(proc_pids_done) struct proc_pids tids = { 0 };
	AUTO_CLOSE int proc = proc_open(pid);
	int error, new = 0;

	if (proc < 0)
		return -ESRCH;
	TRY(proc_threads_read(proc, &tids));
	for (size_t i = 0; i < tids.n; i++) {
		if (is_known(s, tids.items[i]))
			continue;
		error = seize_in_turn(s, proc, tids.items[i]);
		if (error == -ESRCH)
			continue;
		TRY(error);
		*vector_push(&s->threads) = (struct stopped_thread){ .tid = tids.items[i], .pid = pid };
		new ++;
	}
	return new;
}

/* Those that have died meanwhile stand still, too. */
static int await_threads(struct sweep *s)
{
	for (size_t i = 0; i < s->threads.n; i++) {
		struct stopped_thread *thread = &s->threads.items[i];
		int signal, error = thread->stands ? 0 : tracee_wait_stop(thread->tid, &s->deadline, &signal);

		if (error == -ETIMEDOUT)
			return error;
		if (error == 0 && !thread->stands)
			(void)tracee_suspend_seccomp(thread->tid); /* where there is a filter, we were allowed to */
		thread->stands = true;
	}
	return 0;
}

/* It runs our code, or makes a call for us with the stack that we prepared. */
static bool is_away(const struct sweep *s, const struct stopped_thread *thread)
{
	uint64_t ip = arch_state_ip(thread->state.home), sp = arch_state_sp(thread->state.home);

	for (int i = 0; i < s->watch->n; i++) {
		const struct watched *w = &s->watch->items[i];

		if (!w->used || w->pid != thread->pid)
			continue;
		if (ip - w->address < w->size || (w->place.scratch && sp - w->place.scratch < w->place.scratch_size))
			return true;
	}
	return false;
}

/* It is on its way already. */
static int see_home(struct sweep *s, struct stopped_thread *thread)
{
	int signal;

	for (;;) {
		TRY(parasite_read_state(thread->tid, s->pool, &thread->state));
		if (!is_away(s, thread))
			return arch_state_set_general(thread->tid, thread->state.home);
		if (deadline_passed(&s->deadline))
			return -ETIMEDOUT;
		TRY(tracee_continue(thread->tid));
		thread->stands = false; /* also if it is not seen to stop again: it is asked to by then */
		usleep(HOMEWARD_US);
		TRY(tracee_interrupt(thread->tid));
		TRY(tracee_wait_stop(thread->tid, &s->deadline, &signal));
		thread->stands = true;
	}
}

/* A thread that ends on its way does not keep us from the others. */
static int see_all_home(struct sweep *s)
{
	for (size_t i = 0; i < s->threads.n; i++) {
		int error = see_home(s, &s->threads.items[i]);

		if (error == -ETIMEDOUT)
			return error;
		s->threads.items[i].gone = error < 0;
	}
	return 0;
}

/* One that can make calls for us. */
static struct stopped_thread *thread_of(struct sweep *s, pid_t pid)
{
	for (size_t i = 0; i < s->threads.n; i++)
		if (s->threads.items[i].pid == pid && !s->threads.items[i].gone)
			return &s->threads.items[i];
	return NULL;
}

static bool is_ours(const struct watched *w, const struct mapping *m)
{
	return m->start == w->address && m->end == w->address + w->size && m->shared && m->deleted;
}

/*
 * If the call that makes it was still to come when we died, the thread has made it on its way home, under our eyes: it
 * is a tracee of this guard and stands still. Otherwise it is dead, or about to die.
 */
static int kill_stopped_child(const struct sweep *s, int proc)
{
	AUTO(proc_pids_done) struct proc_pids children = { 0 };

	TRY(proc_children_read(proc, &children));
	for (size_t i = 0; i < children.n; i++) {
		AUTO(proc_status_done) struct proc_status status = { 0 };
		AUTO_CLOSE int child = proc_open(children.items[i]);

		if (is_known(s, children.items[i]) || child < 0 || proc_status_read(child, &status) < 0 ||
		    status.tracer_pid != getpid())
			continue;
		kill(children.items[i], SIGKILL);
		tracee_reap(children.items[i]);
	}
	return 0;
}

static int64_t number_of_child(const struct watched *w, int mem)
{
	int told = 0;

	if (w->child || !w->told_at)
		return w->child;
	if (io_pread(mem, &told, sizeof(told), (off_t)w->told_at) != sizeof(told) || told == w->told_before)
		return 0;
	return told;
}

/* The code of the process may be another one than when the child was made: it may have called execve(2). */
static int forget_child(const struct sweep *s, const struct watched *w, struct parasite_process *process)
{
	AUTO(mappings_done) struct mappings mappings = { 0 };
	int64_t number = number_of_child(w, process->mem);

	if (number <= 0)
		return 0;
	TRY(kill_stopped_child(s, process->proc));
	TRY(mappings_read(process->proc, MAPPINGS_PLAIN, &mappings));
	TRY(parasite_find_place(process->mem, w->pid, &mappings, process->state.home, NULL, &process->place));
	return parasite_forget_child(process, number);
}

static int take_away(const struct sweep *s, const struct watched *w, struct stopped_thread *thread)
{
	AUTO(mappings_done) struct mappings mappings = { 0 };
	AUTO_CLOSE int proc = proc_open(w->pid), mem = proc < 0 ? -1 : openat(proc, "mem", O_RDWR | O_CLOEXEC);
	struct parasite_process process = {
		.tid = thread->tid, .proc = proc, .mem = mem, .state = thread->state, .place = w->place
	};
	const struct mapping *m;

	if (mem < 0)
		return -ESRCH;
	if (w->is_child)
		return forget_child(s, w, &process);
	TRY(mappings_read(proc, MAPPINGS_PLAIN, &mappings));
	m = mappings_find(&mappings, w->address);
	if (!m || !is_ours(w, m))
		return 0;
	log_info("criu was killed: its memory at %lx of task %d is removed", (unsigned long)w->address, w->pid);
	return parasite_unmap(&process, w->address, w->size);
}

static int sweep_all(struct sweep *s)
{
	for (int i = 0; i < s->watch->n; i++) {
		int new = s->watch->items[i].used;

		while (new > 0) {
			new = ask_threads(s, s->watch->items[i].pid);
			TRY(await_threads(s));
		}
	}
	TRY(see_all_home(s));
	for (int i = 0; i < s->watch->n; i++) {
		const struct watched *w = &s->watch->items[i];
		struct stopped_thread *thread = w->used ? thread_of(s, w->pid) : NULL;

		if (thread)
			(void)take_away(s, w, thread);
	}
	return 0;
}

/* Whoever waits for the end of our output has no need to wait for frozen tasks. */
static void stay_behind(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	log_info("tasks that hold memory of criu do not stop (is their cgroup frozen?): it is removed when they do, "
		 "within %d s",
		 GRACE_FROZEN_S);
	log_flush();
	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
}

_Noreturn static void watch_over(struct parasite_watch *watch)
{
	struct sweep s = { .watch = watch, .pool = pool_create() };

	guard_stand_apart("criu-guard");
	guard_report(&watch->ready);
	(void)pidfd_wait_exit(watch->us, -1);
	s.deadline = deadline_in_seconds(GRACE_SWEEP_S);
	if (sweep_all(&s) == -ETIMEDOUT) {
		stay_behind();
		s.deadline = deadline_in_seconds(GRACE_FROZEN_S);
		(void)sweep_all(&s); /* what it could not do, it has said */
	}
	for (size_t i = 0; i < s.threads.n; i++)
		tracee_release(s.threads.items[i].tid);
	log_flush();
	_exit(0);
}

/* --- */

int parasite_watch_start(int not_for_it, struct parasite_watch **ret)
{
	struct parasite_watch *watch =
		mmap(NULL, sizeof(*watch), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pid_t guard;

	if (watch == MAP_FAILED)
		return fail_errno("mapping %zu bytes", sizeof(*watch));
	*ret = watch;
	watch->us = pidfd_of_process(getpid());
	if (watch->us < 0)
		return fail(-watch->us, "opening a pidfd of our own");
	guard = fork();
	if (guard < 0)
		return fail_errno("making a process that watches over us");
	if (guard == 0) {
		if (not_for_it >= 0)
			close(not_for_it);
		watch_over(watch);
	}
	watch->guard = guard;
	return 0;
}

int parasite_watch_await(struct parasite_watch *watch)
{
	int error = watch && watch->guard > 0 ? guard_await(&watch->ready, watch->guard) : 0;

	if (error < 0)
		watch->guard = 0; /* it has been reaped */
	return error;
}

/* Something could not be taken away: the guard shall do it when we have ended. */
static bool is_busy(const struct parasite_watch *watch)
{
	for (int i = 0; i < watch->n; i++)
		if (watch->items[i].used)
			return true;
	return false;
}

void parasite_watch_dismiss(struct parasite_watch *watch)
{
	if (!watch || watch->guard <= 0 || watch->sent_away || is_busy(watch))
		return;
	watch->sent_away = true;
	guard_send_away(watch->guard);
}

void parasite_watch_end(struct parasite_watch **place)
{
	struct parasite_watch *watch = TAKE_PTR(*place);

	if (!watch)
		return;
	parasite_watch_dismiss(watch);
	if (watch->sent_away)
		guard_reap(watch->guard);
	if (watch->us >= 0)
		close(watch->us);
	munmap(watch, sizeof(*watch));
}

int parasite_watch_add(struct parasite_watch *watch, const struct parasite_process *process, size_t size)
{
	for (int i = 0; watch && i < CAPACITY; i++) {
		struct watched *w = &watch->items[i];

		if (w->used)
			continue;
		w->pid = process->tid;
		w->place = process->place;
		w->size = size;
		w->address = 0;
		if (i >= watch->n)
			__atomic_store_n(&watch->n, i + 1, __ATOMIC_SEQ_CST);
		w->is_child = false;
		__atomic_store_n(&w->used, true, __ATOMIC_SEQ_CST);
		return i;
	}
	return -1;
}

void parasite_watch_move(struct parasite_watch *watch, int number, uint64_t address)
{
	if (number >= 0)
		__atomic_store_n(&watch->items[number].address, address, __ATOMIC_SEQ_CST);
}

int64_t *parasite_watch_child(struct parasite_watch *watch, int number, uint64_t told_at, int told_before)
{
	struct watched *w;

	if (number < 0)
		return NULL;
	w = &watch->items[number];
	w->child = 0;
	w->told_at = told_at;
	w->told_before = told_before;
	__atomic_store_n(&w->is_child, true, __ATOMIC_SEQ_CST);
	return &w->child;
}

void parasite_watch_remove(struct parasite_watch *watch, int number)
{
	if (number >= 0)
		__atomic_store_n(&watch->items[number].used, false, __ATOMIC_SEQ_CST);
}
