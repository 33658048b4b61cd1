/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers that an io_uring chooses from, in groups. Those that were given one by one (IORING_OP_PROVIDE_BUFFERS) are
 * given again. A ring of buffers (IORING_REGISTER_PBUF_RING) lies in memory that the program writes to, while the
 * kernel counts for itself how many it has taken, from 0. So buffers of one byte are put into a new ring for a moment,
 * and bytes from a socket make the kernel take as many as before.
 */
#include "object/memory/uring/uring-provided.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/io_uring.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/vector.h"
#include "kern/syscalls.h"
#include "object/file/file.h"
#include "object/memory/uring/uring-arm.h"
#include "object/memory/uring/uring-frames.h"
#include "object/memory/uring/uring-view.h"
#include "object/memory/uring/uring.h"
#include "lib/compel/remote.h"
#include "plan/plan.h"

#define ENTRIES_MAX  (1u << 15)
#define GROUPS_MAX   65536
#define AT_ONCE	     128 /* buffers that one request takes: the kernel's own limit is 256 */
#define SLOT_RING    1	 /* and the next one */
#define SLOT_SOCKET  3	 /* and the next one */
#define FREE_NUMBERS 16	 /* descriptors that a plan may need for a moment */

struct entry { /* struct io_uring_buf */
	uint64_t address;
	uint32_t length;
	uint16_t number, tail; /* of the first one: how far the program has given buffers */
};

/* --- dump --- */

typedef VECTOR(uint64_t) address_list;

static void keep_group(void *arg, uint64_t number, uint64_t group)
{
	*vector_push((address_list *)arg) = group;
}

static void dump_choices(const struct dump *d, struct uring_view *view, uint64_t list, UringGroup *group)
{
	const uint64_t head = uring_view_place(view, list, AT_io_buffer_list_buf_list);
	const uint64_t within = uring_view_place(view, 0, AT_io_buffer_list);
	address_list all = { 0 };

	for (uint64_t node = uring_view_member(view, head, AT_list_head_next);
	     node && node != head && !view->error && all.n < GROUPS_MAX;
	     node = uring_view_member(view, node, AT_list_head_next))
		*vector_push(&all) = node - within;
	group->buffers = pool_array(d->pool, UringChoice *, all.n + 1);
	for (size_t i = 0; i < all.n; i++) {
		UringChoice *one = group->buffers[group->n_buffers++] = pool_new(d->pool, UringChoice);

		uring_choice__init(one);
		one->address = uring_view_member(view, all.items[i], AT_io_buffer_addr);
		one->length = (uint32_t)uring_view_member(view, all.items[i], AT_io_buffer_len);
		one->number = (uint32_t)uring_view_member(view, all.items[i], AT_io_buffer_bid);
	}
	vector_done(&all);
}

/* The process that has a ring of buffers in its memory: mostly the one that has made the io_uring. */
static int find_ring(const struct dump *d, const struct open_file *of, struct uring_view *view, uint64_t region,
		     UringGroup *group)
{
	const uint64_t pages = uring_view_member(view, region, AT_io_mapped_region_pages);
	const uint64_t n = uring_view_member(view, region, AT_io_mapped_region_nr_pages);
	struct task *task = of->task, *other;

	TRY(uring_frames_find(view, task, pages, n, &group->address));
	for_each_task(other, d->tree) {
		if (group->address || !task_is_live(other) || other == of->task)
			continue;
		task = other;
		TRY(uring_frames_find(view, task, pages, n, &group->address));
	}
	if (!group->address)
		return refuse(EOPNOTSUPP,
			      "the ring of its buffers of group %u is in memory that no process of the tree has any "
			      "more: it cannot be saved; let the program unregister it (IORING_UNREGISTER_PBUF_RING)",
			      group->group);
	uring_frames_pin(task, group->address, group->entries * sizeof(struct entry));
	group->has_address = group->has_pid = true;
	group->pid = task->vpid;
	return 0;
}

static int dump_ring(const struct dump *d, const struct open_file *of, struct uring_view *view, uint64_t list,
		     uint64_t flags, UringGroup *group)
{
	const uint64_t region = uring_view_place(view, list, AT_io_buffer_list_region);
	const bool given = uring_view_member(view, region, AT_io_mapped_region_flags) & (uint64_t)view->given_flag;
	const uint64_t left = uring_view_member(view, list, AT_io_buffer_list_min_left_sub_one);

	group->has_entries = group->has_head = group->has_flags = true;
	group->entries = (uint32_t)uring_view_member(view, list, AT_io_buffer_list_nr_entries);
	group->head = (uint32_t)uring_view_member(view, list, AT_io_buffer_list_head);
	group->flags = (given ? 0 : URING_PBUF_MMAP) | (flags & (uint64_t)view->inc_flag ? URING_PBUF_INC : 0);
	group->has_min_left = left;
	group->min_left = left ? (uint32_t)left + 1 : 0;
	if (view->error || !group->entries || group->entries > ENTRIES_MAX)
		return refuse(EOPNOTSUPP, "its buffers of group %u are not as they are known", group->group);
	if (given)
		return find_ring(d, of, view, region, group);
	group->has_content = true;
	group->content.len = group->entries * sizeof(struct entry);
	group->content.data = pool_alloc(d->pool, group->content.len);
	uring_view_read(view, uring_view_member(view, list, AT_io_buffer_list_buf_ring), group->content.data,
			group->content.len);
	return 0;
}

static int dump_groups(const struct dump *d, const struct open_file *of, struct uring_view *view,
		       const address_list *lists, UringEntry *record)
{
	record->groups = pool_array(d->pool, UringGroup *, lists->n + 1);
	for (size_t i = 0; i < lists->n; i++) {
		const uint64_t flags = uring_view_member(view, lists->items[i], AT_io_buffer_list_flags);
		UringGroup *group = pool_new(d->pool, UringGroup);

		uring_group__init(group);
		group->group = (uint32_t)uring_view_member(view, lists->items[i], AT_io_buffer_list_bgid);
		if (flags & (uint64_t)view->ring_flag)
			TRY(dump_ring(d, of, view, lists->items[i], flags, group));
		else
			dump_choices(d, view, lists->items[i], group);
		if (group->has_entries || group->n_buffers)
			record->groups[record->n_groups++] = group;
	}
	return view->error ? uring_view_give_up(view) : 0;
}

int uring_dump_provided(const struct dump *d, const struct open_file *of, uint64_t ctx, UringEntry *record)
{
	address_list lists = { 0 };
	struct uring_view *view;
	int error;

	TRY(uring_view_get(d, &view));
	uring_view_walk(view, uring_view_place(view, ctx, AT_io_ring_ctx_io_bl_xa), keep_group, &lists);
	error = dump_groups(d, of, view, &lists, record);
	vector_done(&lists);
	return error;
}

/* --- restore --- */

static bool is_sound(const UringGroup *group)
{
	const bool mapped = group->has_flags && group->flags & URING_PBUF_MMAP;

	if (group->group > UINT16_MAX)
		return false;
	if (!group->has_entries)
		return group->n_buffers && group->n_buffers <= GROUPS_MAX;
	return group->entries && group->entries <= ENTRIES_MAX && !(group->entries & (group->entries - 1)) &&
	       group->head <= UINT16_MAX && mapped == !!group->has_content && mapped != !!group->has_address &&
	       group->has_pid == group->has_address &&
	       (!mapped || group->content.len == group->entries * sizeof(struct entry));
}

int uring_load_provided(const UringEntry *record)
{
	for (size_t i = 0; i < record->n_groups; i++)
		if (!is_sound(record->groups[i]))
			return refuse(EINVAL, "files.img: its buffers of group %u make no sense",
				      record->groups[i]->group);
	return 0;
}

int uring_link_provided(const struct restore *r, const UringEntry *record)
{
	const struct thread *thread = record->has_submitter ? task_tree_find_thread(r->tree, record->submitter) : NULL;
	const struct task *first = task_tree_find(r->tree, record->pid);

	if (record->n_groups && (!first || !task_is_live(first)))
		return refuse(EINVAL, "files.img: process %d, which has it, is not there", record->pid);
	for (size_t i = 0; i < record->n_groups; i++) {
		const UringGroup *group = record->groups[i];
		const struct task *task = group->has_pid ? task_tree_find(r->tree, group->pid) : NULL;

		if (group->has_pid && (!task || !task_is_live(task) || (thread && thread->task != task)))
			return refuse(EINVAL,
				      "files.img: its buffers of group %u are in memory of process %d, which cannot be",
				      group->group, group->pid);
	}
	return 0;
}

static struct uring_pbuf describe_ring(const UringGroup *group)
{
	return (struct uring_pbuf){ .address = group->address,
				    .entries = group->entries,
				    .group = (uint16_t)group->group,
				    .flags = (uint16_t)group->flags,
				    .min_left = group->min_left };
}

int uring_register_provided(const UringEntry *record, int fd)
{
	for (size_t i = 0; i < record->n_groups; i++) {
		struct uring_pbuf ring = describe_ring(record->groups[i]);

		if (record->groups[i]->has_content &&
		    syscall(SYS_io_uring_register, fd, IORING_REGISTER_PBUF_RING, &ring, 1) < 0)
			return fail_errno("registering a ring of buffers");
	}
	return 0;
}

static bool is_group_of(const UringEntry *record, const UringGroup *group, const struct thread *thread)
{
	if (!group->has_pid)
		return false;
	return record->has_submitter ? record->submitter == thread->vtid
				     : group->pid == thread->task->vpid && thread == thread->task->leader;
}

bool uring_has_provided_of(const UringEntry *record, const struct thread *thread)
{
	for (size_t i = 0; i < record->n_groups; i++)
		if (is_group_of(record, record->groups[i], thread))
			return true;
	return false;
}

void uring_plan_provided(const UringEntry *record, const struct thread *thread, unsigned slot, struct plan *plan)
{
	for (size_t i = 0; i < record->n_groups; i++) {
		const struct uring_pbuf ring = describe_ring(record->groups[i]);

		if (is_group_of(record, record->groups[i], thread))
			plan_syscall(plan, "register a ring of buffers", __NR_io_uring_register, S(slot),
				     V(IORING_REGISTER_PBUF_RING), D(plan_data(plan, &ring, sizeof(ring))), V(1));
	}
}

/* --- bringing them to where they were --- */

/* So many that one request can give: of one size, with addresses and numbers that follow each other. */
static size_t count_run(const UringGroup *group, size_t from)
{
	const UringChoice *first = group->buffers[from];
	size_t n = 1;

	while (from + n < group->n_buffers && group->buffers[from + n]->length == first->length &&
	       group->buffers[from + n]->address == first->address + n * first->length &&
	       group->buffers[from + n]->number == first->number + n)
		n++;
	return n;
}

uint32_t uring_count_provided(const UringEntry *record)
{
	uint32_t requests = 0;

	for (size_t i = 0; i < record->n_groups; i++) {
		const UringGroup *group = record->groups[i];

		requests += (group->head + AT_ONCE - 1) / AT_ONCE;
		for (size_t from = 0; from < group->n_buffers; from += count_run(group, from))
			requests++;
	}
	return requests;
}

/* A thread that makes requests of this io_uring for us. */
struct maker {
	struct restore *r;
	const UringEntry *record;
	struct thread *thread;
	int fd; /* of the io_uring, ours */
	struct uring_positions *at;
	uint64_t scratch; /* memory of the task that may be written to */
	int sockets[2];
};

/* socket: the request is for that one. */
static int make_request(struct maker *maker, const struct io_uring_sqe *request, bool socket, int wanted)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	const size_t at = plan_data(plan, request, sizeof(*request));
	const struct io_uring_cqe *cqe;
	int result;

	file_plan_fetch(maker->r, plan, maker->fd, SLOT_RING);
	if (socket) {
		file_plan_fetch(maker->r, plan, maker->sockets[0], SLOT_SOCKET);
		plan_step(plan, "the socket of a request", STEP_SET_INT,
			  (struct plan_arg[]){ D(at + offsetof(struct io_uring_sqe, fd)), S(SLOT_SOCKET) }, 2);
	}
	uring_plan_requests(maker->record, S(SLOT_RING), at, 1, plan);
	if (socket)
		plan_syscall(plan, "close what was fetched", __NR_close, S(SLOT_SOCKET));
	plan_syscall(plan, "close what was fetched", __NR_close, S(SLOT_RING));
	TRY(remote_run(maker->thread->remote, plan, &maker->r->progress->deadline));
	if (__atomic_load_n(&maker->at->cq_tail, __ATOMIC_ACQUIRE) == maker->at->cq_head)
		return fail(EIO, "an io_uring does not tell that a request is done");
	cqe = (const void *)((const uint8_t *)maker->at + maker->record->cqes_offset +
			     (maker->at->cq_head & (maker->record->cq_entries - 1)) *
				     (maker->record->cqes.len / maker->record->cq_entries));
	result = cqe->res;
	__atomic_store_n(&maker->at->cq_head, maker->at->cq_tail, __ATOMIC_RELEASE);
	if (result != wanted)
		return fail(result < 0 ? -result : EIO, "a request about buffers of an io_uring has given %d, not %d",
			    result, wanted);
	return 0;
}

static int give_choices(struct maker *maker, const UringGroup *group)
{
	for (size_t from = 0, n; from < group->n_buffers; from += n) {
		const UringChoice *first = group->buffers[from];
		struct io_uring_sqe request = { .opcode = IORING_OP_PROVIDE_BUFFERS,
						.addr = first->address,
						.len = first->length,
						.off = first->number,
						.buf_group = (uint16_t)group->group };

		n = count_run(group, from);
		request.fd = (int)n;
		TRY(make_request(maker, &request, false, 0));
	}
	return 0;
}

static int take_some(struct maker *maker, const UringGroup *group, uint32_t n)
{
	const char bytes[AT_ONCE] = { 0 };
	struct io_uring_sqe request = { .opcode = IORING_OP_RECV,
					.flags = IOSQE_BUFFER_SELECT,
					.ioprio = IORING_RECVSEND_BUNDLE,
					.len = n,
					.msg_flags = MSG_DONTWAIT,
					.buf_group = (uint16_t)group->group };

	TRY(io_write(maker->sockets[1], bytes, n));
	return make_request(maker, &request, true, (int)n);
}

static int take_all(struct maker *maker, const UringGroup *group)
{
	for (uint32_t done = 0; done < group->head; done += AT_ONCE)
		TRY(take_some(maker, group, group->head - done < AT_ONCE ? group->head - done : AT_ONCE));
	return 0;
}

static void fill_ring(const struct maker *maker, const UringGroup *group, struct entry *ring)
{
	for (uint32_t i = 0; i < group->entries; i++)
		ring[i] = (struct entry){ .address = maker->scratch, .length = 1 };
	ring[0].tail = (uint16_t)group->head;
}

static int turn_mapped(struct maker *maker, const UringGroup *group)
{
	const off_t place = (off_t)(IORING_OFF_PBUF_RING | (uint64_t)group->group << IORING_OFF_PBUF_SHIFT);
	void *ring = mmap(NULL, group->content.len, PROT_READ | PROT_WRITE, MAP_SHARED, maker->fd, place);
	int error;

	if (ring == MAP_FAILED)
		return fail_errno("mapping a ring of buffers");
	fill_ring(maker, group, ring);
	error = take_all(maker, group);
	memcpy(ring, group->content.data, group->content.len);
	munmap(ring, group->content.len);
	return error;
}

static int move_memory(const UringGroup *group, pid_t pid, void *ours, bool write)
{
	const size_t size = group->entries * sizeof(struct entry);
	const struct iovec own = { ours, size }, theirs = { (void *)(uintptr_t)group->address, size };
	ssize_t done =
		write ? process_vm_writev(pid, &own, 1, &theirs, 1, 0) : process_vm_readv(pid, &own, 1, &theirs, 1, 0);

	return done == (ssize_t)size ? 0 : fail(done < 0 ? errno : EIO, "reaching a ring of buffers");
}

static int turn_in_memory(struct maker *maker, const UringGroup *group)
{
	const size_t size = group->entries * sizeof(struct entry);
	const pid_t pid = task_tree_find(maker->r->tree, group->pid)->pid;
	AUTO_FREE void *kept = xmalloc(size);
	AUTO_FREE void *ring = xmalloc(size);

	if (!group->head)
		return 0;
	TRY(move_memory(group, pid, kept, false));
	fill_ring(maker, group, ring);
	TRY(move_memory(group, pid, ring, true));
	TRY(take_all(maker, group));
	return move_memory(group, pid, kept, true);
}

static int settle_groups(struct maker *maker)
{
	for (size_t i = 0; i < maker->record->n_groups; i++) {
		const UringGroup *group = maker->record->groups[i];

		if (!group->has_entries)
			TRY(give_choices(maker, group));
		else if (group->has_content)
			TRY(turn_mapped(maker, group));
		else
			TRY(turn_in_memory(maker, group));
	}
	return 0;
}

/* Memory of the task for the bytes, and back. */
static int with_scratch(struct maker *maker)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	const size_t size = (size_t)sysconf(_SC_PAGESIZE);
	const size_t at = plan_keep_result(plan, plan_syscall(plan, "make room for bytes", __NR_mmap, V(0), V(size),
							      V(PROT_READ | PROT_WRITE), V(MAP_PRIVATE | MAP_ANONYMOUS),
							      V(-1), V(0)));
	int error;

	TRY(remote_run(maker->thread->remote, plan, &maker->r->progress->deadline));
	maker->scratch = (uint64_t)remote_value(maker->thread->remote, at);
	error = settle_groups(maker);
	TRY(error);
	plan_reset(plan);
	plan_syscall(plan, "unmap room for bytes", __NR_munmap, V((int64_t)maker->scratch), V(size));
	return remote_run(maker->thread->remote, plan, &maker->r->progress->deadline);
}

/* Its limit of descriptors is what it was by now: others must not be hindered by it. */
static int with_numbers(struct maker *maker)
{
	const pid_t pid = maker->thread->task->pid;
	struct rlimit old, more;
	int error;

	if (prlimit(pid, RLIMIT_NOFILE, NULL, &old) < 0)
		return fail_errno("reading its limit of descriptors");
	more = (struct rlimit){ old.rlim_cur + FREE_NUMBERS, old.rlim_max + FREE_NUMBERS };
	if (prlimit(pid, RLIMIT_NOFILE, &more, NULL) < 0 &&
	    errno != EPERM) /* the highest (fs.nr_open): nobody uses all */
		return fail_errno("raising its limit of descriptors for a moment");
	error = with_scratch(maker);
	TRY(error);
	return prlimit(pid, RLIMIT_NOFILE, &old, NULL) < 0 ? fail_errno("setting its limit of descriptors") : 0;
}

static struct thread *find_maker(const struct restore *r, const UringEntry *record)
{
	if (record->has_submitter)
		return task_tree_find_thread(r->tree, record->submitter);
	for (size_t i = 0; i < record->n_groups; i++)
		if (record->groups[i]->has_pid)
			return task_tree_find(r->tree, record->groups[i]->pid)->leader;
	return task_tree_find(r->tree, record->pid)->leader;
}

int uring_settle_provided(struct restore *r, const struct file *f, int fd, struct uring_positions *at)
{
	struct maker maker = { .r = r, .record = f->entry->uring, .fd = fd, .at = at };
	int error;

	if (!maker.record->n_groups)
		return 0;
	maker.thread = find_maker(r, maker.record);
	__atomic_store_n(&at->cq_head, at->cq_tail, __ATOMIC_RELEASE);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, maker.sockets) < 0)
		return fail_errno("making sockets");
	error = with_numbers(&maker);
	close(maker.sockets[0]);
	close(maker.sockets[1]);
	return error;
}
