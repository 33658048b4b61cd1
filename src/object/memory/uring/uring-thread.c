/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What only a thread itself can do for an io_uring: enable one that it alone may use, and bring that to where the old
 * one was; register it by a number.
 */
#include <linux/io_uring.h>
#include <stddef.h>
#include <sys/mman.h>

#include "base/fail.h"
#include "object/file/file.h"
#include "object/memory/uring/uring-buffers.h"
#include "object/memory/uring/uring-provided.h"
#include "object/memory/uring/uring-registered.h"
#include "object/memory/uring/uring-restore.h"
#include "object/memory/uring/uring.h"
#include "object/task/part.h"
#include "plan/plan.h"

#define SLOT_RING     1 /* and the next one */
#define SLOT_RINGS    3 /* addresses */
#define SLOT_SQES     4
#define SLOT_HELPER   5
#define SLOT_MESSAGES 6
#define SLOT_TURN     8
#define PAGE	      4096
#define MESSAGES      64 /* requests on a page */
#define LOOKED_AT     16 /* the kernel fetches 20 completions at a time (IO_LOCAL_TW_DEFAULT_MAX) */

static void plan_map(struct plan *plan, unsigned ring, uint64_t size, uint64_t what, unsigned slot)
{
	plan_syscall(plan, "map an io_uring for a moment", __NR_mmap, V(0), V(size), V(PROT_READ | PROT_WRITE),
		     V(MAP_SHARED), S(ring), V(what))
		->to_slot = (uint8_t)slot;
}

static void plan_word(struct plan *plan, size_t turn, size_t member, unsigned slot)
{
	plan_step(plan, "how an io_uring is turned", STEP_SET_LONG, (struct plan_arg[]){ D(turn + member), S(slot) },
		  2);
}

/* Requests that do nothing; with the flags that each of them has. */
static void plan_turn(struct plan *plan, const UringEntry *record, uint64_t n, uint8_t flags)
{
	struct uring_turn turn = {
		.sqe_size = (int64_t)(record->sqes.len / record->sq_entries),
		.sqe_n = record->array.len ? 1 : record->sq_entries, /* with an array, of zeros, all are the first */
		.kind = IORING_OP_NOP | flags << 8,
		.n = (int64_t)n,
		.batch = record->sq_entries,
		.looked_at = -1,
	};
	size_t at;

	if (!n)
		return;
	at = plan_data(plan, &turn, sizeof(turn));
	plan_word(plan, at, offsetof(struct uring_turn, fd), SLOT_RING);
	plan_word(plan, at, offsetof(struct uring_turn, rings), SLOT_RINGS);
	plan_word(plan, at, offsetof(struct uring_turn, completed), SLOT_RINGS);
	plan_word(plan, at, offsetof(struct uring_turn, sqes), SLOT_SQES);
	plan_step(plan, "bring an io_uring to where it was", STEP_URING, (struct plan_arg[]){ D(at) }, 1);
}

/* Completions that another io_uring sends. */
static void plan_completed(struct plan *plan, const UringEntry *record, uint64_t n)
{
	struct io_uring_params params = { 0 };
	struct uring_turn turn = {
		.sqe_n = 1,
		.kind = IORING_OP_MSG_RING | IOSQE_CQE_SKIP_SUCCESS << 8,
		.n = (int64_t)n,
		.batch = record->cq_entries < LOOKED_AT ? record->cq_entries : LOOKED_AT,
	};
	size_t at;

	if (!n)
		return;
	plan_syscall(plan, "make an io_uring for a moment", __NR_io_uring_setup, V(MESSAGES),
		     D(plan_data(plan, &params, sizeof(params))))
		->to_slot = SLOT_HELPER;
	plan_map(plan, SLOT_HELPER, PAGE, IORING_OFF_SQ_RING, SLOT_TURN);
	plan_map(plan, SLOT_HELPER, PAGE, IORING_OFF_SQES, SLOT_MESSAGES);
	at = plan_data(plan, &turn, sizeof(turn));
	plan_word(plan, at, offsetof(struct uring_turn, fd), SLOT_HELPER);
	plan_word(plan, at, offsetof(struct uring_turn, rings), SLOT_TURN);
	plan_word(plan, at, offsetof(struct uring_turn, sqes), SLOT_MESSAGES);
	plan_word(plan, at, offsetof(struct uring_turn, kind_fd), SLOT_RING);
	plan_word(plan, at, offsetof(struct uring_turn, looked_at), SLOT_RING);
	plan_word(plan, at, offsetof(struct uring_turn, completed), SLOT_RINGS);
	plan_step(plan, "bring the completions of an io_uring to where they were", STEP_URING,
		  (struct plan_arg[]){ D(at) }, 1);
	plan_syscall(plan, "unmap what helped", __NR_munmap, S(SLOT_MESSAGES), V(PAGE));
	plan_syscall(plan, "unmap what helped", __NR_munmap, S(SLOT_TURN), V(PAGE));
	plan_syscall(plan, "close what helped", __NR_close, S(SLOT_HELPER));
}

static void plan_own(struct plan *plan, const UringEntry *record)
{
	const struct uring_turns turns = uring_turns_of(record);
	const uint64_t array_end = record->array_offset + record->array.len;
	const uint64_t cqes_end = record->cqes_offset + record->cqes.len;
	const uint64_t size = array_end > cqes_end ? array_end : cqes_end;

	plan_syscall(plan, "enable an io_uring", __NR_io_uring_register, S(SLOT_RING), V(IORING_REGISTER_ENABLE_RINGS),
		     V(0), V(0));
	plan_map(plan, SLOT_RING, size, IORING_OFF_SQ_RING, SLOT_RINGS);
	plan_map(plan, SLOT_RING, record->sqes.len, IORING_OFF_SQES, SLOT_SQES);
	plan_turn(plan, record, turns.both, 0);
	plan_turn(plan, record, turns.taken, IOSQE_CQE_SKIP_SUCCESS);
	plan_completed(plan, record, turns.completed);
	plan_syscall(plan, "unmap an io_uring", __NR_munmap, S(SLOT_SQES), V(record->sqes.len));
	plan_syscall(plan, "unmap an io_uring", __NR_munmap, S(SLOT_RINGS), V(size));
}

static void plan_number(struct plan *plan, uint32_t number)
{
	struct io_uring_rsrc_update update = { .offset = number };
	size_t at = plan_data(plan, &update, sizeof(update));

	plan_step(plan, "the descriptor to be registered", STEP_SET_LONG,
		  (struct plan_arg[]){ D(at + offsetof(struct io_uring_rsrc_update, data)), S(SLOT_RING) }, 2);
	plan_syscall(plan, "register an io_uring by a number", __NR_io_uring_register, S(SLOT_RING),
		     V(IORING_REGISTER_RING_FDS), D(at), V(1));
}

static bool concerns_thread(const UringEntry *record, const struct thread *thread)
{
	if ((record->has_submitter && record->submitter == thread->vtid) || uring_has_buffers_of(record, thread) ||
	    uring_has_provided_of(record, thread))
		return true;
	for (size_t i = 0; i < record->n_numbers; i++)
		if (record->numbers[i]->tid == thread->vtid)
			return true;
	return false;
}

static int plan_thread(struct restore *r, struct thread *thread, struct plan *plan)
{
	size_t n;
	struct file *const *files = file_restore_all(r, &n);
	int fd;

	for (size_t i = 0; i < n; i++) {
		const UringEntry *record = files[i]->entry->uring;

		if (!record || !concerns_thread(record, thread))
			continue;
		TRY(file_get_fd(r, files[i], &fd));
		file_plan_fetch(r, plan, fd, SLOT_RING);
		if (record->has_submitter && record->submitter == thread->vtid) {
			plan_own(plan, record);
			TRY(uring_plan_eventfd(r, files[i], SLOT_RING, SLOT_RINGS, plan));
		}
		if (uring_has_buffers_of(record, thread))
			uring_plan_buffers(record, SLOT_RING, plan);
		uring_plan_provided(record, thread, SLOT_RING, plan);
		for (size_t k = 0; k < record->n_numbers; k++)
			if (record->numbers[k]->tid == thread->vtid)
				plan_number(plan, record->numbers[k]->number);
		plan_syscall(plan, "close what was fetched", __NR_close, S(SLOT_RING));
	}
	return 0;
}

const struct task_part uring_thread_part = {
	.name = "io_uring",
	.plan = plan_thread,
};
