/* SPDX-License-Identifier: GPL-2.0-only */
/* Buffers that are registered with an io_uring: memory whose pages the kernel holds fast. */
#include "object/memory/uring/uring-buffers.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/io_uring.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/proc/pagemap.h"
#include "object/file/file.h"
#include "object/memory/uring/uring-frames.h"
#include "object/memory/uring/uring-view.h"
#include "object/memory/uring/uring.h"
#include "plan/plan.h"

#define BUFFERS_MAX (1u << 14) /* IORING_MAX_REG_BUFFERS */

/* --- dump --- */

/* imu: struct io_mapped_ubuf. */
static int is_in_memory(struct uring_view *view, const struct page_tables *tables, uint64_t imu, bool *ret)
{
	const uint64_t page = tables->page_size, n = uring_view_member(view, imu, AT_io_mapped_ubuf_nr_bvecs);
	uint64_t at = uring_view_member(view, imu, AT_io_mapped_ubuf_ubuf) & ~(page - 1);

	*ret = n;
	for (uint64_t i = 0; *ret && i < n && !view->error; i++) {
		const uint64_t part = uring_view_place(view, imu, AT_io_mapped_ubuf_bvec) + i * view->bvec_size;
		const uint64_t offset = uring_view_member(view, part, AT_bio_vec_bv_offset);
		const uint64_t length = uring_view_member(view, part, AT_bio_vec_bv_len);
		const uint64_t pages = (offset % page + length + page - 1) / page;
		uint64_t frame;

		TRY(uring_view_frame(view, uring_view_member(view, part, AT_bio_vec_bv_page), &frame));
		TRY(uring_frames_compare(tables, at, frame + offset / page, pages, ret));
		at += pages * page;
	}
	return view->error ? uring_view_give_up(view) : 0;
}

static int is_in_task(struct uring_view *view, const struct task *task, uint64_t imu, bool *ret)
{
	struct page_tables tables;
	int error;

	TRY(pagemap_open(&tables, task->dump->proc));
	error = is_in_memory(view, &tables, imu, ret);
	pagemap_close(&tables);
	return error;
}

/* The process that has the buffer: mostly the one that has made the io_uring. */
static int find_task(const struct dump *d, const struct open_file *of, struct uring_view *view, uint64_t imu,
		     struct task **ret)
{
	struct task *task;
	bool found;

	*ret = of->task;
	TRY(is_in_task(view, of->task, imu, &found));
	if (found)
		return 0;
	for_each_task(task, d->tree) {
		if (!task_is_live(task) || task == of->task)
			continue;
		*ret = task;
		TRY(is_in_task(view, task, imu, &found));
		if (found)
			return 0;
	}
	*ret = NULL;
	return 0;
}

static int dump_buffer(const struct dump *d, const struct open_file *of, struct uring_view *view, uint64_t node,
		       UringEntry *record, UringBuffer *buffer)
{
	const uint64_t imu = uring_view_member(view, node, AT_io_rsrc_node_buf);
	struct task *task;

	buffer->tag = uring_view_member(view, node, AT_io_rsrc_node_tag);
	buffer->address = uring_view_member(view, imu, AT_io_mapped_ubuf_ubuf);
	buffer->length = uring_view_member(view, imu, AT_io_mapped_ubuf_len);
	if (uring_view_member(view, imu, AT_io_mapped_ubuf_is_kbuf))
		return refuse(EOPNOTSUPP, "its registered buffer %u is memory of a driver (ublk): that cannot be saved",
			      buffer->number);
	TRY(find_task(d, of, view, imu, &task));
	if (!task)
		return refuse(EOPNOTSUPP,
			      "its registered buffer %u (%#" PRIx64 ", %" PRIu64
			      " bytes) is memory that no process of the tree has there any more: it cannot be saved; "
			      "let the program unregister it (IORING_UNREGISTER_BUFFERS)",
			      buffer->number, buffer->address, buffer->length);
	if (record->has_buffers_pid && record->buffers_pid != task->vpid)
		return refuse(EOPNOTSUPP,
			      "its registered buffers are memory of several processes (%d, %d): that cannot be saved",
			      record->buffers_pid, task->vpid);
	record->has_buffers_pid = true;
	record->buffers_pid = task->vpid;
	if (!uring_frames_pin(task, buffer->address, buffer->length))
		return refuse(EOPNOTSUPP,
			      "its registered buffer %u is memory that must not be written to by now: it "
			      "cannot be saved; let the program unregister it",
			      buffer->number);
	return 0;
}

static bool is_thread_of(const struct dump *d, pid_t pid, pid_t tid)
{
	struct task *task;
	struct thread *thread;

	for_each_task(task, d->tree)
		if (task->vpid == pid)
			for_each_thread(thread, task)
				if (thread->vtid == tid)
					return true;
	return false;
}

int uring_dump_buffers(const struct dump *d, const struct open_file *of, uint64_t ctx, UringEntry *record)
{
	struct uring_view *view;
	uint64_t table, n, nodes, node;

	TRY(uring_view_get(d, &view));
	table = uring_view_place(view, ctx, AT_io_ring_ctx_buf_table);
	n = uring_view_member(view, table, AT_io_rsrc_data_nr);
	nodes = uring_view_member(view, table, AT_io_rsrc_data_nodes);
	if (!n || n > BUFFERS_MAX)
		return n ? refuse(EOPNOTSUPP, "its table of registered buffers is not as it is known") : 0;
	record->has_buffers_room = true;
	record->buffers_room = (uint32_t)n;
	record->buffers = pool_array(d->pool, UringBuffer *, n);
	for (uint32_t i = 0; i < n; i++) {
		UringBuffer *one;

		uring_view_read(view, nodes + i * sizeof(node), &node, sizeof(node));
		if (!node)
			continue;
		one = record->buffers[record->n_buffers++] = pool_new(d->pool, UringBuffer);
		uring_buffer__init(one);
		one->number = i;
		TRY(dump_buffer(d, of, view, node, record, one));
	}
	if (record->has_submitter && record->n_buffers && !is_thread_of(d, record->buffers_pid, record->submitter))
		return refuse(EOPNOTSUPP,
			      "its registered buffers are memory of process %d, and the one thread that may "
			      "use it is not of that: that cannot be saved",
			      record->buffers_pid);
	return view->error ? uring_view_give_up(view) : 0;
}

/* --- restore --- */

int uring_load_buffers(const UringEntry *record)
{
	if (record->buffers_room > BUFFERS_MAX || record->n_buffers > record->buffers_room ||
	    (record->n_buffers && !record->has_buffers_pid))
		return refuse(EINVAL, "files.img: what it has registered makes no sense");
	for (size_t i = 0; i < record->n_buffers; i++) {
		const UringBuffer *one = record->buffers[i];

		if (one->number >= record->buffers_room || (i && one->number <= record->buffers[i - 1]->number) ||
		    one->length > UINT32_MAX)
			return refuse(EINVAL, "files.img: its registered buffer %u cannot be", one->number);
	}
	return 0;
}

int uring_link_buffers(const struct restore *r, const UringEntry *record)
{
	const struct task *task = record->n_buffers ? task_tree_find(r->tree, record->buffers_pid) : NULL;
	const struct thread *thread;

	if (!record->n_buffers)
		return 0;
	if (!task || !task_is_live(task))
		return refuse(EINVAL, "files.img: its buffers are memory of process %d, which is not in the tree",
			      record->buffers_pid);
	thread = record->has_submitter ? task_tree_find_thread(r->tree, record->submitter) : NULL;
	if (record->has_submitter && (!thread || thread->task != task))
		return refuse(EINVAL, "files.img: its buffers are not memory of the thread that may use it");
	return 0;
}

int uring_register_table(const UringEntry *record, int fd)
{
	const struct io_uring_rsrc_register table = { .nr = record->buffers_room,
						      .flags = IORING_RSRC_REGISTER_SPARSE };

	if (!record->buffers_room)
		return 0;
	if (syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS2, &table, sizeof(table)) < 0)
		return fail_errno("registering room for buffers");
	return 0;
}

bool uring_has_buffers_of(const UringEntry *record, const struct thread *thread)
{
	if (!record->n_buffers)
		return false;
	return record->has_submitter ? record->submitter == thread->vtid
				     : record->buffers_pid == thread->task->vpid && thread == thread->task->leader;
}

static void plan_pointer(struct plan *plan, size_t at, size_t to)
{
	plan_step(plan, "where buffers of an io_uring are told", STEP_SET_LONG, (struct plan_arg[]){ D(at), D(to) }, 2);
}

/* Buffers with numbers that follow each other. */
static void plan_run(const UringEntry *record, size_t from, size_t n, unsigned slot, struct plan *plan)
{
	struct io_uring_rsrc_update2 update = { .offset = record->buffers[from]->number, .nr = (uint32_t)n };
	const size_t parts = plan_space(plan, n * sizeof(struct iovec)), tags = plan_space(plan, n * sizeof(uint64_t));
	const size_t at = plan_data(plan, &update, sizeof(update));

	for (size_t i = 0; i < n; i++) {
		const UringBuffer *one = record->buffers[from + i];

		((struct iovec *)plan_at(plan, parts))[i] =
			(struct iovec){ (void *)(uintptr_t)one->address, one->length };
		((uint64_t *)plan_at(plan, tags))[i] = one->tag;
	}
	plan_pointer(plan, at + offsetof(struct io_uring_rsrc_update2, data), parts);
	plan_pointer(plan, at + offsetof(struct io_uring_rsrc_update2, tags), tags);
	plan_syscall(plan, "register buffers", __NR_io_uring_register, S(slot), V(IORING_REGISTER_BUFFERS_UPDATE),
		     D(at), V(sizeof(update)));
}

void uring_plan_buffers(const UringEntry *record, unsigned slot, struct plan *plan)
{
	for (size_t from = 0, n; from < record->n_buffers; from += n) {
		for (n = 1; from + n < record->n_buffers &&
			    record->buffers[from + n]->number == record->buffers[from]->number + n;)
			n++;
		plan_run(record, from, n, slot, plan);
	}
}
