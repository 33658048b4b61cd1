/* SPDX-License-Identifier: GPL-2.0-only */
/* io_uring for subjects: by bare system calls, so that nothing is known but what the kernel has said. */
#pragma once
#include <linux/io_uring.h>

#include "subject.h"

struct uring {
	int fd;
	struct io_uring_params params;
	uint8_t *rings, *sqes;
	size_t rings_size, sqes_size;
	uint32_t *sq_head, *sq_tail, *cq_head, *cq_tail, *array;
};

static inline size_t uring_sqe_size(const struct uring *u)
{
	return u->params.flags & IORING_SETUP_SQE128 ? 128 : 64;
}

static inline size_t uring_cqe_size(const struct uring *u)
{
	return u->params.flags & IORING_SETUP_CQE32 ? 32 : 16;
}

static inline void uring_map(struct uring *u)
{
	const struct io_uring_params *p = &u->params;
	size_t array_end = p->sq_off.array ? p->sq_off.array + p->sq_entries * 4 : 0;
	size_t cqes_end = p->cq_off.cqes + p->cq_entries * uring_cqe_size(u);

	u->rings_size = array_end > cqes_end ? array_end : cqes_end;
	u->sqes_size = p->sq_entries * uring_sqe_size(u);
	u->rings = must(mmap(NULL, u->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, u->fd,
			     IORING_OFF_SQ_RING));
	u->sqes = must(
		mmap(NULL, u->sqes_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, u->fd, IORING_OFF_SQES));
	u->sq_head = (uint32_t *)(u->rings + p->sq_off.head);
	u->sq_tail = (uint32_t *)(u->rings + p->sq_off.tail);
	u->cq_head = (uint32_t *)(u->rings + p->cq_off.head);
	u->cq_tail = (uint32_t *)(u->rings + p->cq_off.tail);
	u->array = p->sq_off.array ? (uint32_t *)(u->rings + p->sq_off.array) : NULL;
}

/* Where the kernel does not tell enough of an io_uring, none can be saved. */
static inline void uring_need_kernel(void)
{
	need_linux(6, 16, "an io_uring");
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		skip("this kernel does not tell of its structures");
}

/* False: this kernel does not know these flags. Ends the subject where there is no io_uring at all. */
static inline bool uring_try(struct uring *u, unsigned entries, uint32_t flags, unsigned completions)
{
	*u = (struct uring){ .params = { .flags = flags, .cq_entries = completions } };
	u->fd = (int)syscall(SYS_io_uring_setup, entries, &u->params);
	if (u->fd < 0 && errno == EINVAL && flags)
		return false;
	if (u->fd < 0)
		skip("io_uring_setup: %s", strerror(errno));
	uring_need_kernel();
	uring_map(u);
	return true;
}

static inline void uring_make(struct uring *u, unsigned entries, uint32_t flags)
{
	if (!uring_try(u, entries, flags, 0))
		skip("io_uring_setup: %s", strerror(errno));
}

/* The next request, zeroed but for its number; uring_put() makes the kernel see it. */
static inline struct io_uring_sqe *uring_next(struct uring *u, uint64_t user_data)
{
	uint32_t slot = *u->sq_tail & (u->params.sq_entries - 1);
	struct io_uring_sqe *sqe = (void *)(u->sqes + slot * uring_sqe_size(u));

	memset(sqe, 0, uring_sqe_size(u));
	sqe->opcode = IORING_OP_NOP;
	sqe->user_data = user_data;
	if (u->array)
		u->array[slot] = slot;
	return sqe;
}

static inline void uring_put(struct uring *u)
{
	__atomic_store_n(u->sq_tail, *u->sq_tail + 1, __ATOMIC_RELEASE);
}

static inline int uring_enter(struct uring *u, unsigned submit, unsigned wait)
{
	return (int)syscall(SYS_io_uring_enter, u->fd, submit, wait, wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
}

/* n requests that do nothing, with the numbers from user_data on. */
static inline void uring_nops(struct uring *u, unsigned n, uint64_t user_data)
{
	for (unsigned i = 0; i < n; i++) {
		uring_next(u, user_data + i);
		uring_put(u);
		CHECK_EQUAL(uring_enter(u, 1, 0), 1);
	}
}

static inline struct io_uring_cqe *uring_peek(struct uring *u)
{
	uint32_t slot = *u->cq_head & (u->params.cq_entries - 1);

	if (__atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE) == *u->cq_head)
		return NULL;
	return (void *)(u->rings + u->params.cq_off.cqes + slot * uring_cqe_size(u));
}

/* Reads n completions, which must be those of uring_nops(). */
static inline void uring_take(struct uring *u, unsigned n, uint64_t user_data)
{
	for (unsigned i = 0; i < n; i++) {
		struct io_uring_cqe *cqe = uring_peek(u);

		CHECK(cqe != NULL);
		CHECK_EQUAL(cqe->user_data, user_data + i);
		CHECK_EQUAL(cqe->res, 0);
		__atomic_store_n(u->cq_head, *u->cq_head + 1, __ATOMIC_RELEASE);
	}
}
