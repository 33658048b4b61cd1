/* SPDX-License-Identifier: GPL-2.0-only */
/* State of a living process: running or stopped, flags, execution domain (personality(2)); what its threads must have
 * in common. */
#include <errno.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "kern/proc/proc.h"
#include "object/task/part.h"
#include "plan/plan.h"
#include "session/pids.h"

#define QUERY_PERSONALITY 0xffffffffu

/* linux/ptrace.h, Linux 6.4. */
#define PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG_ 0x4211
struct dispatch_config {
	uint64_t mode, selector, offset, length;
};

extern const struct task_part state_part;

/* The image has one of these for a process. */
static int check_shared(const struct thread *thread)
{
	const struct {
		int type;
		bool shared;
		const char *what, *flag;
	} objects[] = {
		{ KCMP_FILES, thread->dump->shares.files, "descriptor table", "CLONE_FILES" },
		{ KCMP_FS, thread->dump->shares.fs, "current directory or umask", "CLONE_FS" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		long order = objects[i].shared
				     ? 0
				     : syscall(__NR_kcmp, thread->tid, thread->task->pid, objects[i].type, 0, 0);

		if (order < 0)
			return fail_errno("comparing the %s of two threads", objects[i].what);
		if (order)
			return refuse(
				EOPNOTSUPP,
				"thread %d has a %s of its own (unshare(%s)): the image format has no place for it; "
				"checkpoint when this thread has ended",
				thread->tid, objects[i].what, objects[i].flag);
	}
	return 0;
}

static int refuse_personality(uint32_t its, uint32_t process)
{
	return refuse(EOPNOTSUPP,
		      "it has the personality 0x%x and the process 0x%x: the image format has no place for it; "
		      "checkpoint when this "
		      "thread has ended",
		      its, process);
}

static int read_personality(const struct thread *thread, uint32_t *ret)
{
	AUTO_CLOSE int dir = proc_open_thread(thread->task->dump->proc, thread->tid);
	char text[32];

	TRY(dir);
	if (file_read_text(dir, "personality", text, sizeof(text)) <= 0)
		return fail_errno("reading its personality");
	*ret = (uint32_t)strtoul(text, NULL, 16);
	return 0;
}

/* A dump asks the thread itself, for less. */
static int compare_personality(const struct thread *thread)
{
	uint32_t its, process;

	TRY(read_personality(thread, &its));
	TRY(read_personality(thread->task->leader, &process));
	return its == process ? 0 : refuse_personality(its, process);
}

/* The calls that criu makes in the thread would become signals. */
static int check_dispatch(const struct thread *thread)
{
	struct dispatch_config config = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG_, thread->tid, sizeof(config), &config) < 0 || !config.mode)
		return 0;
	return refuse(EOPNOTSUPP,
		      "thread %d handles its own system calls (PR_SET_SYSCALL_USER_DISPATCH): such programs cannot be "
		      "checkpointed",
		      thread->tid);
}

/* A dump asks each thread. */
static int guess_state(const struct dump *d, struct thread *thread)
{
	return thread == thread->task->leader ? 0 : compare_personality(thread);
}

static int dump_state(const struct dump *d, struct thread *thread)
{
	struct task *task = thread->task;
	TaskCoreEntry *tc = thread->core->tc;

	TRY(check_dispatch(thread));
	if (thread != task->leader) {
		return check_shared(thread);
	}
	tc->task_state = task->state;
	tc->flags = task->dump->stat.flags;
	tc->has_exit_signal = task->parent && task->dump->stat.exit_signal != SIGCHLD;
	tc->exit_signal = tc->has_exit_signal ? (uint32_t)task->dump->stat.exit_signal : 0;
	if (task->state == TASK_STOPPED) {
		tc->has_stop_signo = true;
		tc->stop_signo = (uint32_t)task->dump->stop_signal;
		/* The kernel forgets the signal when the parent has asked. */
		tc->has_stop_reported = task->dump->stat.exit_code == 0;
		tc->stop_reported = tc->has_stop_reported;
	}
	return 0;
}

static int ask_state(struct dump *d, struct thread *thread, struct plan *plan)
{
	*part_offsets(d, thread, &state_part, 1) = plan_keep_result(
		plan, plan_syscall(plan, "read the personality", __NR_personality, V(QUERY_PERSONALITY)));
	return 0;
}

/* The leader answers first. */
static int put_personality(struct thread *thread, uint32_t personality)
{
	TaskCoreEntry *tc = thread->task->leader->core->tc;

	if (thread == thread->task->leader)
		tc->personality = personality;
	else if (personality != tc->personality)
		return refuse_personality(personality, tc->personality);
	return 0;
}

static int answer_state(struct dump *d, struct thread *thread)
{
	return put_personality(thread,
			       (uint32_t)remote_value(thread->remote, *part_offsets(d, thread, &state_part, 1)));
}

static int told_state(struct dump *d, struct thread *thread)
{
	return put_personality(thread, thread->dump->own->personality);
}

static int check_state(const struct restore *r, struct thread *thread)
{
	const TaskCoreEntry *tc = thread->core->tc;

	if (thread != thread->task->leader)
		return 0;
	if (tc->has_stop_signo && (tc->stop_signo < 1 || tc->stop_signo > 64))
		return refuse(EINVAL, "the record says stopped by signal %u: the image is damaged", tc->stop_signo);
	if (tc->exit_signal > 64)
		return refuse(EINVAL, "its parent is to get signal %u: the image is damaged", tc->exit_signal);
	return 0;
}

/* Each thread has its own in the kernel. READ_IMPLIES_EXEC would change mappings: they are made. */
static int plan_state(struct restore *r, struct thread *thread, struct plan *plan)
{
	plan_syscall(plan, "set the personality", __NR_personality, V(thread->task->leader->core->tc->personality));
	return 0;
}

/* Children that were stopped are so again; those whose parent had asked for it before must not be told anew. */
static int last_state(struct restore *r, struct thread *thread, struct plan *plan)
{
	const struct task *child;

	if (thread != thread->task->leader)
		return 0;
	for_each_child(child, thread->task)
		if (child->state == TASK_STOPPED && child->leader->core->tc->stop_reported)
			plan_syscall(plan, "hear of a stopped child", __NR_waitid, V(P_PID),
				     V(task_pid_for(child, thread->task)), V(0), V(WSTOPPED | WNOHANG), V(0));
	return 0;
}

const struct task_part state_part = {
	.name = "state",
	.outside = dump_state,
	.guess = guess_state,
	.ask = ask_state,
	.answer = answer_state,
	.told = told_state,
	.check = check_state,
	.plan = plan_state,
	.last = last_state,
};
