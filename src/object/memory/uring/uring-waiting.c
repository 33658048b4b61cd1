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
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/fail.h"
#include "base/vector.h"
#include "object/file/file.h"
#include "object/memory/uring/uring-arm.h"
#include "object/memory/uring/uring-frames.h"
#include "object/memory/uring/uring-look.h"
#include "object/memory/uring/uring-names.h"
#include "object/memory/uring/uring-provided.h"
#include "object/memory/uring/uring-requests.h"
#include "object/memory/uring/uring-view.h"
#include "object/memory/uring/uring-walk.h"
#include "object/memory/uring/uring.h"
#include "object/task/part.h"
#include "plan/plan.h"

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

typedef VECTOR(struct uring_met) request_list;

static void keep_request(void *arg, const struct uring_met *met)
{
	*vector_push((request_list *)arg) = *met;
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

/* Memory that the kernel looks at when the request is made again must be there then. */
struct memory_user {
	const struct task *task;
	bool missing;
};

static void use_memory(void *arg, uint64_t address, uint64_t length, bool written)
{
	struct memory_user *user = arg;

	user->missing |= !uring_frames_pin(user->task, address, length) && written;
}

static const char *check_task(const struct open_file *of, const struct task *task, const UringRequest *request)
{
	struct memory_user user = { .task = task };

	if (!task || task->ids->files_id != of->task->ids->files_id)
		return "a process made it that has the io_uring by another descriptor";
	uring_request_memory(request, use_memory, &user);
	return user.missing ? "its message header is memory that must not be written to by now" : NULL;
}

static int dump_request(const struct dump *d, const struct open_file *of, struct uring_view *view,
			const struct uring_met *met, UringRequest *request)
{
	const char *why = uring_request_read(view, d->pool, met, request);

	if (view->error)
		return uring_view_give_up(view);
	if (!why)
		why = check_task(of, find_task(d, request->tid), request);
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

		TRY(dump_request(d, of, view, &list->items[i], request));
		record->n_requests++;
	}
	return 0;
}

static size_t chain_end(const request_list *list, size_t from)
{
	size_t end = from + 1;

	while (end < list->n && list->items[end].follows)
		end++;
	return end;
}

/* In the order in which they must be made: of those that wait for a file the kernel has the last one first. Those that
 * wait for all others stay the last. */
static void sort_requests(request_list *list)
{
	request_list sorted = { 0 };

	for (size_t i = list->n; i-- > 0;)
		for (size_t k = i; list->items[i].begun && k < chain_end(list, i); k++)
			*vector_push(&sorted) = list->items[k];
	for (size_t i = sorted.n; i < list->n; i++)
		*vector_push(&sorted) = list->items[i];
	vector_done(list);
	list->items = sorted.items;
	list->n = sorted.n;
	list->capacity = sorted.capacity;
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
	sort_requests(&list);
	error = dump_all(d, of, view, &list, record);
	vector_done(&list);
	return error;
}

/* --- restore --- */

static bool is_linked(const UringRequest *request)
{
	return request->flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
}

/* A chain must fit into the ring, as it is made at once; and be of one thread. */
static bool are_chains_sound(const UringEntry *record)
{
	size_t length = 1;

	for (size_t i = 0; i + 1 < record->n_requests; i++) {
		length = is_linked(record->requests[i]) ? length + 1 : 1;
		if (length > record->sq_entries ||
		    (length > 1 && record->requests[i]->tid != record->requests[i + 1]->tid))
			return false;
	}
	return true;
}

static bool is_sound(const UringRequest *one)
{
	const bool timed = one->opcode == IORING_OP_TIMEOUT || one->opcode == IORING_OP_LINK_TIMEOUT;

	return uring_request_is_known(one) && one->group <= UINT16_MAX && timed == !!one->has_nanoseconds &&
	       one->flags <= UINT8_MAX && one->ioprio <= UINT16_MAX && one->personality <= UINT16_MAX &&
	       one->n_parts <= UIO_MAXIOV && one->name.len <= sizeof(struct sockaddr_storage) &&
	       (!one->header || one->opcode == IORING_OP_SENDMSG || one->opcode == IORING_OP_RECVMSG);
}

int uring_load_requests(const UringEntry *record)
{
	if (record->n_requests + uring_count_provided(record) > record->sq_head)
		return refuse(EINVAL, "files.img: more requests are under way than were made");
	for (size_t i = 0; i < record->n_requests; i++)
		if (!is_sound(record->requests[i]))
			return refuse(EINVAL, "files.img: a request that is under way makes no sense");
	return are_chains_sound(record) ? 0 : refuse(EINVAL, "files.img: requests are linked in a way that cannot be");
}

/* Of one thread, without a gap in the record: chains are whole. */
static int plan_own(const struct file *f, pid_t vtid, struct plan *plan)
{
	const UringEntry *record = f->entry->uring;
	size_t from = 0, end;

	for (; from < record->n_requests; from = end) {
		for (end = from; end < record->n_requests && record->requests[end]->tid == vtid;)
			end++;
		if (end > from)
			uring_plan_waiting(record, V(f->owner_fd), from, end, plan);
		else
			end++;
	}
	return 0;
}

static int plan_last(struct restore *r, struct thread *thread, struct plan *plan)
{
	size_t n;
	struct file *const *files = file_restore_all(r, &n);

	for (size_t i = 0; i < n; i++)
		if (files[i]->entry->uring && files[i]->entry->uring->n_requests)
			TRY(plan_own(files[i], thread->vtid, plan));
	return 0;
}

const struct task_part uring_waiting_part = {
	.name = "io_uring requests under way",
	.last = plan_last,
};
