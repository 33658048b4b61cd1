/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests are made where the kernel is in the ring, by a plan in a thread of the program; what the ring has there
 * stays. */
#include "object/memory/uring/uring-arm.h"

#include <linux/io_uring.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "kern/syscalls.h"
#include "object/memory/uring/uring.h"

#define SLOT_RINGS    5 /* addresses; the first ones are for who has descriptors in them */
#define SLOT_SQES     6
#define NS_PER_SECOND 1000000000

static void plan_map(struct plan *plan, struct plan_arg ring, uint64_t size, uint64_t what, unsigned slot)
{
	plan_syscall(plan, "map an io_uring for a moment", __NR_mmap, V(0), V(size), V(PROT_READ | PROT_WRITE),
		     V(MAP_SHARED), ring, V(what))
		->to_slot = (uint8_t)slot;
}

static void plan_word(struct plan *plan, size_t at, struct plan_arg value)
{
	plan_step(plan, "what a request of an io_uring is about", STEP_SET_LONG, (struct plan_arg[]){ D(at), value },
		  2);
}

static uint64_t size_of_rings(const UringEntry *record)
{
	const uint64_t array_end = record->array_offset + record->array.len;
	const uint64_t cqes_end = record->cqes_offset + record->cqes.len;

	return array_end > cqes_end ? array_end : cqes_end;
}

static void plan_begin(const UringEntry *record, struct plan_arg fd, struct plan *plan)
{
	plan_map(plan, fd, size_of_rings(record), IORING_OFF_SQ_RING, SLOT_RINGS);
	plan_map(plan, fd, record->sqes.len, IORING_OFF_SQES, SLOT_SQES);
}

static void plan_end(const UringEntry *record, struct plan *plan)
{
	plan_syscall(plan, "unmap an io_uring", __NR_munmap, S(SLOT_SQES), V(record->sqes.len));
	plan_syscall(plan, "unmap an io_uring", __NR_munmap, S(SLOT_RINGS), V(size_of_rings(record)));
}

/* most: of them in a chain. */
static void plan_arm(const UringEntry *record, struct plan_arg fd, size_t requests, size_t n, size_t most,
		     struct plan *plan)
{
	const struct uring_arm arm = {
		.array = record->array.len ? record->array_offset : 0,
		.sqe_size = (int64_t)(record->sqes.len / record->sq_entries),
		.mask = record->sq_entries - 1,
		.n = (int64_t)n,
		.polled = uring_is_polled(record),
	};
	const size_t kept = plan_space(plan, most * (size_t)arm.sqe_size),
		     places = plan_space(plan, most * sizeof(uint32_t));
	const size_t at = plan_data(plan, &arm, sizeof(arm));

	plan_word(plan, at + offsetof(struct uring_arm, fd), fd);
	plan_word(plan, at + offsetof(struct uring_arm, rings), S(SLOT_RINGS));
	plan_word(plan, at + offsetof(struct uring_arm, sqes), S(SLOT_SQES));
	plan_word(plan, at + offsetof(struct uring_arm, requests), D(requests));
	plan_word(plan, at + offsetof(struct uring_arm, kept), D(kept));
	plan_word(plan, at + offsetof(struct uring_arm, places), D(places));
	plan_step(plan, "make requests of an io_uring", STEP_URING_ARM, (struct plan_arg[]){ D(at) }, 1);
}

void uring_plan_requests(const UringEntry *record, struct plan_arg fd, size_t requests, size_t n, struct plan *plan)
{
	plan_begin(record, fd, plan);
	plan_arm(record, fd, requests, n, 1, plan);
	plan_end(record, plan);
}

/* --- those that wait --- */

static struct io_uring_sqe make_sqe(const UringRequest *from)
{
	struct io_uring_sqe to = { .opcode = (uint8_t)from->opcode,
				   .flags = (uint8_t)from->flags,
				   .ioprio = (uint16_t)from->ioprio,
				   .fd = from->fd,
				   .off = from->off,
				   .addr = from->addr,
				   .len = from->len,
				   .rw_flags = (int)from->op_flags,
				   .user_data = from->user_data,
				   .file_index = from->file_index,
				   .personality = (uint16_t)from->personality,
				   .buf_group = (uint16_t)from->group };

	if (from->opcode == IORING_OP_RECV || from->opcode == IORING_OP_RECVMSG) /* no connection can be read yet */
		to.ioprio |= IORING_RECVSEND_POLL_FIRST;
	if (from->opcode == IORING_OP_READV || from->opcode == IORING_OP_WRITEV)
		to.len = (uint32_t)from->n_parts;
	if (from->opcode == IORING_OP_SEND)
		to.addr_len = (uint16_t)from->name.len;
	return to;
}

/* Returns where the parts are in the plan. */
static size_t plan_parts(const UringRequest *one, struct plan *plan)
{
	const size_t at = plan_space(plan, (one->n_parts + 1) * sizeof(struct iovec));

	for (size_t i = 0; i < one->n_parts; i++)
		((struct iovec *)plan_at(plan, at))[i] =
			(struct iovec){ (void *)(uintptr_t)one->parts[i]->address, one->parts[i]->length };
	return at;
}

/* Returns where struct msghdr is in the plan. */
static size_t plan_header(const UringRequest *one, struct plan *plan)
{
	const UringHeader *header = one->header;
	const struct msghdr message = { .msg_name = (void *)(uintptr_t)header->name,
					.msg_namelen = header->name_length,
					.msg_iovlen = one->n_parts,
					.msg_control = (void *)(uintptr_t)header->control,
					.msg_controllen = header->control_length };
	const size_t at = plan_data(plan, &message, sizeof(message));

	plan_word(plan, at + offsetof(struct msghdr, msg_iov), D(plan_parts(one, plan)));
	if (one->has_name)
		plan_word(plan, at + offsetof(struct msghdr, msg_name),
			  D(plan_data(plan, one->name.data, one->name.len)));
	return at;
}

/* What the program told by memory that may be another one by now is told by the plan. place: of struct io_uring_sqe. */
static void plan_memory(const UringRequest *one, size_t place, struct plan *plan)
{
	const size_t addr = place + offsetof(struct io_uring_sqe, addr);
	const struct timespec time = { (time_t)(one->nanoseconds / NS_PER_SECOND),
				       (long)(one->nanoseconds % NS_PER_SECOND) };

	if (one->has_nanoseconds)
		plan_word(plan, addr, D(plan_data(plan, &time, sizeof(time))));
	else if (one->header && !one->addr)
		plan_word(plan, addr, D(plan_header(one, plan)));
	else if (one->n_parts && !one->header)
		plan_word(plan, addr, D(plan_parts(one, plan)));
	else if (one->has_name && one->opcode == IORING_OP_CONNECT)
		plan_word(plan, addr, D(plan_data(plan, one->name.data, one->name.len)));
	else if (one->has_name && one->opcode == IORING_OP_SEND)
		plan_word(plan, place + offsetof(struct io_uring_sqe, addr2),
			  D(plan_data(plan, one->name.data, one->name.len)));
}

/*
 * The kernel will write the length of the address, and more, to the program's own header: so that must be told, and has
 * for a moment what it had when the request was made first.
 */
static bool is_written_back(const UringRequest *one)
{
	return one->header && one->addr;
}

static size_t plan_exchange(const UringRequest *one, struct plan *plan)
{
	const size_t old = plan_space(plan, sizeof(struct msghdr)), header = plan_header(one, plan);

	plan_step(plan, "keep the header of a message", STEP_COPY,
		  (struct plan_arg[]){ D(old), V((int64_t)one->addr), V(sizeof(struct msghdr)) }, 3);
	plan_step(plan, "write the header of a message", STEP_COPY,
		  (struct plan_arg[]){ V((int64_t)one->addr), D(header), V(sizeof(struct msghdr)) }, 3);
	return old;
}

static void plan_exchange_back(const UringRequest *one, size_t old, struct plan *plan)
{
	plan_step(plan, "write the header of a message back", STEP_COPY,
		  (struct plan_arg[]){ V((int64_t)one->addr), D(old), V(sizeof(struct msghdr)) }, 3);
}

/* How many belong together: all that are linked. */
static size_t chain_end(const UringEntry *record, size_t from, size_t end)
{
	while (from + 1 < end && record->requests[from]->flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK))
		from++;
	return from + 1;
}

static bool is_chain_written_back(const UringEntry *record, size_t from, size_t end)
{
	for (size_t i = from; i < end; i++)
		if (is_written_back(record->requests[i]))
			return true;
	return false;
}

/* So many as can be made by one step: any number, or one chain for which something is exchanged. */
static size_t run_end(const UringEntry *record, size_t from, size_t end, size_t *ret_most)
{
	size_t chain = chain_end(record, from, end), next;

	*ret_most = chain - from;
	if (is_chain_written_back(record, from, chain))
		return chain;
	for (; chain < end; chain = next) {
		next = chain_end(record, chain, end);
		if (is_chain_written_back(record, chain, next))
			break;
		if (next - chain > *ret_most)
			*ret_most = next - chain;
	}
	return chain;
}

static void plan_run(const UringEntry *record, struct plan_arg fd, size_t from, size_t end, size_t most,
		     struct plan *plan)
{
	const size_t n = end - from, at = plan_space(plan, n * sizeof(struct io_uring_sqe));
	const size_t old = plan_space(plan, n * sizeof(size_t));

	for (size_t i = 0; i < n; i++) {
		const UringRequest *one = record->requests[from + i];
		const struct io_uring_sqe sqe = make_sqe(one);

		memcpy(plan_at(plan, at + i * sizeof(sqe)), &sqe, sizeof(sqe));
		plan_memory(one, at + i * sizeof(sqe), plan);
		if (is_written_back(one)) {
			const size_t place = plan_exchange(one, plan);

			memcpy(plan_at(plan, old + i * sizeof(place)), &place, sizeof(place));
		}
	}
	plan_arm(record, fd, at, n, most, plan);
	for (size_t i = n; i-- > 0;) {
		size_t place;

		memcpy(&place, plan_at(plan, old + i * sizeof(place)), sizeof(place));
		if (is_written_back(record->requests[from + i]))
			plan_exchange_back(record->requests[from + i], place, plan);
	}
}

void uring_plan_waiting(const UringEntry *record, struct plan_arg fd, size_t from, size_t end, struct plan *plan)
{
	size_t next, most;

	plan_begin(record, fd, plan);
	for (; from < end; from = next) {
		next = run_end(record, from, end, &most);
		plan_run(record, fd, from, next, most, plan);
	}
	plan_end(record, plan);
}
