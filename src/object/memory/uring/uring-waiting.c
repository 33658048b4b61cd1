/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests that wait for a file or for a time are saved as the program has made them, and made again by the same thread
 * as the last thing but for registers: with its own credentials, and when all files are complete.
 */
#include "object/memory/uring/uring-waiting.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fail.h"
#include "base/vector.h"
#include "kern/syscalls.h"
#include "object/file/file.h"
#include "object/memory/uring/uring-look.h"
#include "object/memory/uring/uring-names.h"
#include "object/memory/uring/uring-provided.h"
#include "object/memory/uring/uring-requests.h"
#include "object/memory/uring/uring-view.h"
#include "object/memory/uring/uring.h"
#include "object/task/part.h"
#include "plan/plan.h"

#define SLOT_RINGS 5 /* addresses; the first ones are for who has descriptors in them */
#define SLOT_SQES  6

/* --- dump --- */

pid_t uring_find_vtid(const struct dump *d, pid_t tid)
{
	struct task *task;
	struct thread *thread;

	for_each_task(task, d->tree)
		for_each_thread(thread, task)
			if (tid && thread->tid == tid)
				return thread->vtid;
	return 0;
}

typedef VECTOR(uint64_t) request_list;

static void keep_request(void *arg, uint64_t request)
{
	*vector_push((request_list *)arg) = request;
}

static struct task *find_task(const struct dump *d, pid_t tid)
{
	struct task *task;
	struct thread *thread;

	for_each_task(task, d->tree)
		for_each_thread(thread, task)
			if (thread->tid == tid)
				return task;
	return NULL;
}

static int dump_request(const struct dump *d, const struct open_file *of, struct uring_view *view, uint64_t address,
			UringRequest *request)
{
	const char *why = uring_request_read(view, address, request);
	struct task *task = find_task(d, request->tid);

	if (view->error)
		return uring_view_give_up(view);
	if (!why && (!task || task->ids->files_id != of->task->ids->files_id))
		why = "a process made it that has the io_uring by another descriptor";
	if (why)
		return refuse(EBUSY,
			      "a request (%s, user data 0x%" PRIx64 ") is under way, and cannot be saved: %s; let the "
			      "program cancel it or wait for it before the dump",
			      uring_request_name(request->opcode), request->user_data, why);
	request->tid = uring_find_vtid(d, request->tid);
	return 0;
}

static int dump_all(const struct dump *d, const struct open_file *of, struct uring_view *view, const request_list *list,
		    UringEntry *record)
{
	record->requests = pool_array(d->pool, UringRequest *, list->n + 1);
	for (size_t i = 0; i < list->n; i++) {
		UringRequest *request = record->requests[i] = pool_new(d->pool, UringRequest);

		TRY(dump_request(d, of, view, list->items[i], request));
		record->n_requests++;
	}
	return 0;
}

int uring_dump_requests(const struct dump *d, const struct open_file *of, const struct uring_look *look,
			UringEntry *record)
{
	request_list list = { 0 };
	struct uring_view *view;
	int error;

	if (!look->n_waiting)
		return 0;
	TRY(uring_view_get(d, &view));
	uring_requests_walk(view, look->ctx, keep_request, &list);
	error = dump_all(d, of, view, &list, record);
	vector_done(&list);
	return error;
}

/* --- restore --- */

int uring_load_requests(const UringEntry *record)
{
	const uint8_t opcodes[] = { IORING_OP_POLL_ADD, IORING_OP_ACCEPT,     IORING_OP_RECV,
				    IORING_OP_READ,	URING_READ_MULTISHOT, IORING_OP_TIMEOUT };

	if (record->n_requests + uring_count_provided(record) > record->sq_head)
		return refuse(EINVAL, "files.img: more requests are under way than were made");
	for (size_t i = 0; i < record->n_requests; i++) {
		const UringRequest *one = record->requests[i];

		if (!memchr(opcodes, (int)one->opcode, sizeof(opcodes)) || one->opcode > UINT8_MAX ||
		    one->group > UINT16_MAX || (one->opcode == IORING_OP_TIMEOUT) != !!one->has_nanoseconds ||
		    one->flags > UINT8_MAX || one->ioprio > UINT16_MAX)
			return refuse(EINVAL, "files.img: a request that is under way makes no sense");
	}
	return 0;
}

static void fill_request(const UringRequest *from, struct io_uring_sqe *to)
{
	*to = (struct io_uring_sqe){ .opcode = (uint8_t)from->opcode,
				     .flags = (uint8_t)from->flags,
				     .ioprio = (uint16_t)from->ioprio,
				     .fd = from->fd,
				     .off = from->off,
				     .addr = from->addr,
				     .len = from->len,
				     .rw_flags = (int)from->op_flags,
				     .user_data = from->user_data,
				     .file_index = from->file_index,
				     .buf_group = (uint16_t)from->group };
	if (from->opcode == IORING_OP_RECV) /* no connection can be read yet */
		to->ioprio |= IORING_RECVSEND_POLL_FIRST;
}

static void plan_map(struct plan *plan, struct plan_arg ring, uint64_t size, uint64_t what, unsigned slot)
{
	plan_syscall(plan, "map an io_uring for a moment", __NR_mmap, V(0), V(size), V(PROT_READ | PROT_WRITE),
		     V(MAP_SHARED), ring, V(what))
		->to_slot = (uint8_t)slot;
}

/* at: of n requests in the plan. */
static size_t plan_requests(const UringEntry *record, pid_t vtid, struct plan *plan, size_t *ret_n)
{
	size_t at = plan_space(plan, record->n_requests * sizeof(struct io_uring_sqe)), n = 0;

	for (size_t i = record->n_requests; i-- > 0;) { /* the last came first */
		const UringRequest *one = record->requests[i];
		struct timespec time = { (time_t)(one->nanoseconds / 1000000000),
					 (long)(one->nanoseconds % 1000000000) };
		const size_t place = at + n * sizeof(struct io_uring_sqe);

		if (one->tid != vtid)
			continue;
		fill_request(one, plan_at(plan, place));
		n++;
		if (one->opcode == IORING_OP_TIMEOUT)
			plan_step(plan, "the time of a time-out", STEP_SET_LONG,
				  (struct plan_arg[]){ D(place + offsetof(struct io_uring_sqe, addr)),
						       D(plan_data(plan, &time, sizeof(time))) },
				  2);
	}
	*ret_n = n;
	return at;
}

static void plan_word(struct plan *plan, size_t at, struct plan_arg value)
{
	plan_step(plan, "which requests of an io_uring", STEP_SET_LONG, (struct plan_arg[]){ D(at), value }, 2);
}

void uring_plan_requests(const UringEntry *record, struct plan_arg fd, size_t requests, size_t n, struct plan *plan)
{
	const uint64_t array_end = record->array_offset + record->array.len;
	const uint64_t cqes_end = record->cqes_offset + record->cqes.len;
	const uint64_t size = array_end > cqes_end ? array_end : cqes_end;
	const struct uring_arm arm = {
		.array = record->array.len ? record->array_offset : 0,
		.sqe_size = (int64_t)(record->sqes.len / record->sq_entries),
		.mask = record->sq_entries - 1,
		.n = (int64_t)n,
		.polled = uring_is_polled(record),
	};
	const size_t at = plan_data(plan, &arm, sizeof(arm));

	plan_map(plan, fd, size, IORING_OFF_SQ_RING, SLOT_RINGS);
	plan_map(plan, fd, record->sqes.len, IORING_OFF_SQES, SLOT_SQES);
	plan_word(plan, at + offsetof(struct uring_arm, fd), fd);
	plan_word(plan, at + offsetof(struct uring_arm, rings), S(SLOT_RINGS));
	plan_word(plan, at + offsetof(struct uring_arm, sqes), S(SLOT_SQES));
	plan_word(plan, at + offsetof(struct uring_arm, requests), D(requests));
	plan_step(plan, "make requests of an io_uring", STEP_URING_ARM, (struct plan_arg[]){ D(at) }, 1);
	plan_syscall(plan, "unmap an io_uring", __NR_munmap, S(SLOT_SQES), V(record->sqes.len));
	plan_syscall(plan, "unmap an io_uring", __NR_munmap, S(SLOT_RINGS), V(size));
}

static void plan_arm(const struct file *f, pid_t vtid, struct plan *plan)
{
	size_t n, requests = plan_requests(f->entry->uring, vtid, plan, &n);

	if (n)
		uring_plan_requests(f->entry->uring, V(f->owner_fd), requests, n, plan);
}

static int plan_last(struct restore *r, struct thread *thread, struct plan *plan)
{
	size_t n;
	struct file *const *files = file_restore_all(r, &n);

	for (size_t i = 0; i < n; i++)
		if (files[i]->entry->uring && files[i]->entry->uring->n_requests)
			plan_arm(files[i], thread->vtid, plan);
	return 0;
}

const struct task_part uring_waiting_part = {
	.name = "io_uring requests under way",
	.last = plan_last,
};
