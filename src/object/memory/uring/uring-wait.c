/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of an io_uring that are under way when the task is stopped: those that come to an end by themselves, as the
 * disk answers or a worker of the kernel gets through, are waited for. Before all else is looked at: they change memory
 * and files. Their completions are made when a thread of the task next returns from a system call, so each makes one
 * that would show none of it otherwise.
 */
#include "object/memory/uring/uring-wait.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "kern/pidfd.h"
#include "object/memory/uring/uring-look.h"
#include "object/memory/uring/uring.h"
#include "object/task/part.h"
#include "plan/plan.h"
#include "session/thread-run.h"

#define WAIT_MS	     2
#define ROUNDS_LEAST 3 /* before what waits for a file is believed to wait on */

static int read_nothing(struct remote *remote, void *arg)
{
	return 0;
}

static int let_complete(struct dump *d, struct task *task, int fd)
{
	struct thread *thread;

	for_each_thread(thread, task) {
		AUTO(plan_destroy) struct plan *plan = plan_create();

		plan_syscall(plan, "let requests of an io_uring complete", __NR_io_uring_enter, V(fd), V(0), V(0),
			     V(IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP), V(0), V(0))
			->flags |= STEP_MAY_FAIL;
		TRY(thread_run_plan(d, thread, plan, read_nothing, NULL));
	}
	return 0;
}

static bool is_still(const struct uring_look *look, unsigned round)
{
	if (look->setup & IORING_SETUP_SQPOLL && look->sq_head != look->shared.sq_tail)
		return false;
	return !look->under_way || (round >= ROUNDS_LEAST && look->under_way <= look->n_waiting);
}

/* Until nothing is under way, or nothing but what waits for others: whether that can be saved, is seen later. */
static int wait_for_ring(struct dump *d, struct task *task, int fd, int own_fd)
{
	const struct timespec pause = { .tv_nsec = WAIT_MS * 1000000 };
	struct uring_look look;

	for (unsigned round = 0;; round++) {
		TRY(uring_look(d, own_fd, &look));
		if (is_still(&look, round) || deadline_left_ms(&d->progress->deadline) < 1000)
			return 0;
		log_debug("%" PRIu64 " requests of the io_uring with descriptor %d are under way", look.under_way, fd);
		TRY(let_complete(d, task, fd));
		if (round)
			nanosleep(&pause, NULL);
	}
}

static bool has_rings(const struct task *task)
{
	const struct mappings *mappings = &task->dump->mappings;

	for (size_t i = 0; i < mappings->n; i++)
		if (uring_is_mapped(&mappings->items[i]))
			return true;
	return false;
}

/* Each descriptor of an io_uring that the task has; own_fd is a copy of ours. */
static int walk_rings(const struct task *task, int (*visit)(void *arg, int fd, int own_fd), void *arg)
{
	AUTO_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;
	char link[64];
	int fd;

	if (!has_rings(task))
		return 0;
	fd = openat(task->dump->proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return fail_errno("opening /proc/%d/fd", task->pid);
	while ((entry = readdir(dir))) {
		AUTO_CLOSE int own_fd = -1;

		if (entry->d_name[0] == '.' || file_readlink(fd, entry->d_name, link, sizeof(link)) < 0 ||
		    !text_starts(link, "anon_inode:[io_uring]"))
			continue;
		own_fd = pidfd_take_fd(task->dump->pidfd, atoi(entry->d_name));
		if (own_fd < 0)
			return fail(-own_fd, "taking a copy of descriptor %s", entry->d_name);
		LOG_SCOPE("descriptor %s", entry->d_name);
		TRY(visit(arg, atoi(entry->d_name), own_fd));
	}
	return 0;
}

struct uring_waiter {
	struct dump *d;
	struct task *task;
};

static int wait_for_one(void *arg, int fd, int own_fd)
{
	const struct uring_waiter *waiter = arg;

	return wait_for_ring(waiter->d, waiter->task, fd, own_fd);
}

static int wait_for_rings(struct dump *d, struct thread *thread, struct plan *plan)
{
	return thread == thread->task->leader
		       ? walk_rings(thread->task, wait_for_one, &(struct uring_waiter){ d, thread->task })
		       : 0;
}

/* --- pre-dump --- */

struct pin_question {
	const struct dump *d;
	bool pins;
};

static int look_for_pins(void *arg, int fd, int own_fd)
{
	struct pin_question *question = arg;
	struct uring_look look;

	TRY(uring_look(question->d, own_fd, &look));
	question->pins |= look.pins_memory;
	return 0;
}

bool uring_may_write(const struct dump *d, const struct task *task)
{
	struct pin_question question = { .d = d };

	/* One that cannot be looked at is told of by the dump. */
	return walk_rings(task, look_for_pins, &question) < 0 || question.pins;
}

const struct task_part uring_wait_part = {
	.name = "io_uring requests",
	.ask = wait_for_rings,
};
