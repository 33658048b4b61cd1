/* SPDX-License-Identifier: GPL-2.0-only */
/* The last moment of a restore: all tasks run on, or, should we be killed in it, none. */
#include "flow/restore/let-go.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/guard.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/pool.h"
#include "flow/restore/client.h"
#include "kern/pidfd.h"
#include "lib/compel/tracee.h"
#include "session/listener.h"

/* Shared by us and a guard, which kills the tasks if we die before all of them are free. */
struct release {
	uint32_t ready; /* guard_report() */
	bool all_free;
	pid_t guard;
};

static void release_done(struct release **release)
{
	if (*release && (*release)->guard > 0)
		guard_dismiss((*release)->guard);
	if (*release)
		munmap(*release, sizeof(**release));
}

/* Those that are not free die with us anyway, the others have hardly begun. Plain system calls only: a copy of a
 * process with threads. */
static _Noreturn void guard_release(const struct restore *r, struct release *release, int us)
{
	struct task *task;

	guard_stand_apart("criu-guard");
	guard_report(&release->ready);
	(void)pidfd_wait_exit(us, -1);
	if (!release->all_free)
		for_each_task(task, r->tree)
			if (task_is_live(task))
				(void)pidfd_signal(task->restore->pidfd, SIGKILL);
	_exit(0);
}

/* Without a guard all is well as long as nobody kills us in a few microseconds: so what fails is only told. */
static void start_guard(struct restore *r, struct release **ret)
{
	AUTO_CLOSE int us = pidfd_of_process(getpid());
	struct release *release =
		mmap(NULL, sizeof(*release), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t guard;

	if (us < 0 || release == MAP_FAILED) {
		log_warn("no guard can be made for the moment when the tasks are let go");
		return;
	}
	*ret = release;
	guard = fork();
	if (guard == 0)
		guard_release(r, release, us);
	if (guard < 0 || guard_await(&release->ready, guard) < 0)
		log_warn("no guard can be made for the moment when the tasks are let go");
	else
		release->guard = guard; /* only here: the page is shared, in the guard it would be 0 */
}

/* A process dies with us as long as one of its threads is tied to us: so the last ones set whole processes free. This
 * wakes nobody: it is short. */
static void untie_all(const struct restore *r)
{
	struct task *task;
	struct thread *thread;

	for_each_task(task, r->tree) {
		if (!task_is_live(task))
			continue;
		for_each_thread(thread, task)
			if (thread != task->leader)
				tracee_outlive_us(thread->tid);
	}
	for_each_task(task, r->tree)
		if (task_is_live(task))
			tracee_outlive_us(task->leader->tid);
}

static unsigned n_live(const struct restore *r)
{
	struct task *task;
	unsigned n = 0;

	for_each_task(task, r->tree)
		n += task_is_live(task);
	return n;
}

static bool has_mover(const struct restore *r)
{
	return r->listener && r->listener->arrive;
}

int restore_await_word(struct restore *r)
{
	return has_mover(r) ? r->listener->arrive(r->listener, r->tree->root->pid) : interrupt_check_last();
}

static void release_all(struct restore *r)
{
	AUTO(release_done) struct release *release = NULL;
	struct task *task;
	struct thread *thread;

	if (n_live(r) > 1)
		start_guard(r, &release);
	untie_all(r);
	/* Should we be killed from here on, the kernel lets go those that are left. */
	if (release)
		__atomic_store_n(&release->all_free, true, __ATOMIC_SEQ_CST);
	for_each_task(task, r->tree) {
		if (!task_is_live(task))
			continue;
		for_each_thread(thread, task)
			tracee_release(thread->tid);
	}
}

void restore_let_go(struct restore *r)
{
	if (has_mover(r))
		r->listener->release(r->listener, r->tree->root->pid);
	release_all(r);
	restore_answer_client(r);
	if (has_mover(r))
		r->listener->arrived(r->listener, r->tree->root->pid);
}
