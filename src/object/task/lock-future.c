/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether all that a process will map stays in memory: mlockall(2) with MCL_FUTURE. Nothing shows it, but a page that
 * is mapped now has it: MADV_DONTNEED refuses what is locked, and without MCL_ONFAULT the page is there at once.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fail.h"
#include "object/task/part.h"

#define SLOT_PAGE 1

enum { OF_PAGE, OF_MADVISE, OF_RESIDENT, N_OFFSETS };

extern const struct task_part lock_future_part;

static struct step *plan_try(struct step *step)
{
	step->flags |= STEP_MAY_FAIL;
	return step;
}

static int ask_lock(struct dump *d, struct thread *thread, struct plan *plan)
{
	const int64_t size = sysconf(_SC_PAGESIZE);
	size_t *offset;
	struct step *step;

	if (thread != thread->task->leader)
		return 0;
	offset = part_offsets(d, thread, &lock_future_part, N_OFFSETS);
	step = plan_try(plan_syscall(plan, "map a page to see whether it is locked", __NR_mmap, V(0), V(size),
				     V(PROT_READ | PROT_WRITE), V(MAP_PRIVATE | MAP_ANONYMOUS), V(-1), V(0)));
	step->to_slot = SLOT_PAGE;
	offset[OF_PAGE] = plan_keep_result(plan, step);
	offset[OF_RESIDENT] = plan_space(plan, sizeof(int64_t));
	plan_try(plan_syscall(plan, "is it there at once?", __NR_mincore, S(SLOT_PAGE), V(size),
			      D(offset[OF_RESIDENT])));
	offset[OF_MADVISE] = plan_keep_result(
		plan, plan_try(plan_syscall(plan, "drop it", __NR_madvise, S(SLOT_PAGE), V(size), V(MADV_DONTNEED))));
	plan_try(plan_syscall(plan, "unmap it", __NR_munmap, S(SLOT_PAGE), V(size)));
	return 0;
}

static int answer_lock(struct dump *d, struct thread *thread)
{
	TaskCoreEntry *tc = thread->core->tc;
	const size_t *offset;
	int64_t page;

	if (thread != thread->task->leader)
		return 0;
	offset = part_offsets(d, thread, &lock_future_part, N_OFFSETS);
	page = remote_value(thread->remote, offset[OF_PAGE]);
	/* EAGAIN: it may lock no more than it has. */
	if (page != -EAGAIN && (page < 0 || remote_value(thread->remote, offset[OF_MADVISE]) != -EINVAL))
		return 0;
	tc->has_lock_future = true;
	tc->lock_future = MCL_FUTURE;
	if (page > 0 && !(remote_value(thread->remote, offset[OF_RESIDENT]) & 1))
		tc->lock_future |= MCL_ONFAULT;
	return 0;
}

static int check_lock(const struct restore *r, struct thread *thread)
{
	const TaskCoreEntry *tc = thread->core->tc;

	if (thread == thread->task->leader && (tc->lock_future & ~(uint32_t)(MCL_FUTURE | MCL_ONFAULT)))
		return refuse(EINVAL, "flags 0x%x for mlockall: the image is damaged", tc->lock_future);
	return 0;
}

static int plan_lock(struct restore *r, struct thread *thread, struct plan *plan)
{
	const TaskCoreEntry *tc = thread->core->tc;

	if (thread == thread->task->leader && tc->lock_future & MCL_FUTURE)
		plan_syscall(plan, "lock what it will map", __NR_mlockall, V(tc->lock_future));
	return 0;
}

const struct task_part lock_future_part = {
	.name = "lock-future",
	.ask = ask_lock,
	.answer = answer_lock,
	.check = check_lock,
	.last = plan_lock,
};
