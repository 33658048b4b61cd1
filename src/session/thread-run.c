/* SPDX-License-Identifier: GPL-2.0-only */
/* One plan that a stopped thread of the tree runs for us. */
#include "session/thread-run.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "lib/compel/parasite.h"
#include "plan/plan.h"

#define CAPACITY 65536 /* of an arena, for what is not the plan */

int thread_run_plan(struct dump *d, struct thread *thread, const struct plan *plan,
		    int (*read)(struct remote *remote, void *arg), void *arg)
{
	struct task *task = thread->task;
	struct parasite_state state = { thread->dump->state, thread->dump->alone, thread->dump->sigmask };
	AUTO_CLOSE int mem = openat(task->dump->proc, "mem", O_RDWR | O_CLOEXEC);
	struct parasite_process process = {
		.tid = task->pid, .proc = task->dump->proc, .mem = mem, .state = state, .watch = d->watch
	};
	struct deadline soon = deadline_in_seconds(GRACE_HOME_S);
	struct arena *arena = NULL;
	struct remote *remote = NULL;
	int error, error2;

	if (mem < 0)
		return fail_errno("opening its memory");
	TRY(parasite_find_place(mem, task->pid, &task->dump->mappings, state.home, d->parasite_cache, &process.place));
	TRY(parasite_arena_open(&process, plan_size(plan) + parasite_capacity(state.home) + CAPACITY, &arena));
	error = parasite_open(arena, thread->tid, &state, &remote);
	if (error == 0)
		error = remote_post(remote, plan);
	if (error == 0)
		error = remote_wait(remote, &d->progress->deadline);
	if (error == 0)
		error = read(remote, arg);
	error2 = remote ? parasite_catch(remote, &soon) : 0;
	if (error2 == 0)
		error2 = parasite_arena_close(&arena, &process);
	return error ? error : error2;
}
