/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An io_uring is made again. The kernel counts requests and completions from 0, and programs know the numbers: so a new
 * one does requests that do nothing until it is where the old one was. Then the content is put in place.
 */
#include "object/memory/uring/uring-restore.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "kern/syscalls.h"
#include "object/file/file.h"
#include "object/memory/uring/uring-look.h"
#include "object/memory/uring/uring-provided.h"
#include "object/memory/uring/uring-registered.h"
#include "object/memory/uring/uring-sqpoll.h"
#include "object/memory/uring/uring.h"

#define MESSAGES      128 /* at a time */
#define OFTEN	      4096
#define SETUP_AT_ONCE (IORING_SETUP_ATTACH_WQ | IORING_SETUP_CQSIZE)

/* A ring as we have it mapped. */
struct uring_map {
	int fd;
	struct io_uring_params params;
	uint8_t *rings, *sqes;
	size_t rings_size, sqes_size;
};

static struct uring_rings *get_positions(const struct uring_map *map)
{
	return (void *)map->rings;
}

static void unmap_ring(struct uring_map *map)
{
	if (map->rings)
		munmap(map->rings, map->rings_size);
	if (map->sqes)
		munmap(map->sqes, map->sqes_size);
	map->rings = map->sqes = NULL;
}

static void destroy_map(struct uring_map *map)
{
	unmap_ring(map);
	if (map->fd >= 0)
		close(map->fd);
}

static int map_part(int fd, size_t size, off_t at, uint8_t **ret)
{
	void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);

	if (start == MAP_FAILED)
		return fail_errno("mapping an io_uring");
	*ret = start;
	return 0;
}

static int map_ring(struct uring_map *map, size_t sqes, size_t array_end, size_t cqes_end)
{
	map->rings_size = array_end > cqes_end ? array_end : cqes_end;
	map->sqes_size = sqes;
	TRY(map_part(map->fd, map->rings_size, IORING_OFF_SQ_RING, &map->rings));
	return map_part(map->fd, map->sqes_size, IORING_OFF_SQES, &map->sqes);
}

static int map_as_recorded(const UringEntry *record, struct uring_map *map)
{
	return map_ring(map, record->sqes.len, record->array_offset + record->array.len,
			record->cqes_offset + record->cqes.len);
}

struct uring_turns uring_turns_of(const UringEntry *record)
{
	const uint32_t provided = uring_count_provided(record);
	const uint32_t sq = record->sq_head - (uint32_t)record->n_requests - provided, cq = record->cq_tail - provided;
	const uint32_t least = sq < cq ? sq : cq;

	return (struct uring_turns){ least, sq - least, cq - least };
}

static int submit_requests(const struct uring_map *map, unsigned n)
{
	long done;

	if (map->params.flags & IORING_SETUP_SQPOLL)
		return uring_wake_thread(map->fd, get_positions(map));
	done = syscall(SYS_io_uring_enter, map->fd, n, 0, 0, NULL, 0);
	if (done < 0)
		return fail_errno("having requests of an io_uring done");
	return done == n ? 0 : fail(EIO, "an io_uring has done %ld requests of %u", done, n);
}

/* n requests that do nothing; all requests in the ring are such ones. */
static int turn_ring(const struct uring_map *map, uint64_t n)
{
	struct uring_rings *at = get_positions(map);

	for (uint64_t rounds = 0; n; rounds++) {
		uint32_t now = n < map->params.sq_entries ? (uint32_t)n : map->params.sq_entries;

		__atomic_store_n(&at->sq_tail, at->sq_tail + now, __ATOMIC_RELEASE);
		TRY(submit_requests(map, now));
		__atomic_store_n(&at->cq_head, at->cq_tail, __ATOMIC_RELEASE);
		n -= now;
		if (rounds % OFTEN == 0)
			TRY(interrupt_check());
	}
	return 0;
}

static void fill_requests(const UringEntry *record, const struct uring_map *map, uint8_t flags)
{
	size_t size = record->sqes.len / record->sq_entries;

	for (size_t i = 0; i < record->sq_entries; i++) {
		struct io_uring_sqe *sqe = (void *)(map->sqes + i * size);

		memset(sqe, 0, size);
		sqe->opcode = IORING_OP_NOP;
		sqe->flags = flags;
	}
}

static int make_helper(struct uring_map *map)
{
	map->params = (struct io_uring_params){ 0 };
	map->fd = (int)syscall(SYS_io_uring_setup, MESSAGES, &map->params);
	if (map->fd < 0)
		return fail_errno("making an io_uring");
	return map_ring(map, MESSAGES * sizeof(struct io_uring_sqe),
			map->params.sq_off.array + MESSAGES * sizeof(uint32_t),
			map->params.cq_off.cqes + map->params.cq_entries * sizeof(struct io_uring_cqe));
}

/* Completions from another ring: n that say nothing and count as read, or those given. */
static int send_completions(const struct uring_map *map, const UringOverflow *const *given, uint64_t n)
{
	AUTO(destroy_map) struct uring_map helper = { .fd = -1 };
	/* Those that say nothing must all find room. */
	const uint64_t most = given || map->params.cq_entries > MESSAGES ? MESSAGES : map->params.cq_entries;
	struct io_uring_sqe *sqes;
	uint32_t *array;

	if (!n)
		return 0;
	TRY(make_helper(&helper));
	sqes = (void *)helper.sqes;
	array = (void *)(helper.rings + helper.params.sq_off.array);
	for (uint64_t done = 0, now; done < n; done += now) {
		now = n - done < most ? n - done : most;
		for (uint32_t i = 0; i < now; i++) {
			uint32_t slot = (get_positions(&helper)->sq_tail + i) % MESSAGES;
			const UringOverflow *one = given ? given[done + i] : NULL;

			array[slot] = slot;
			sqes[slot] = (struct io_uring_sqe){ .opcode = IORING_OP_MSG_RING,
							    .fd = map->fd,
							    .off = one ? one->user_data : 0,
							    .len = one ? (uint32_t)one->res : 0,
							    .msg_ring_flags = one ? IORING_MSG_RING_FLAGS_PASS : 0,
							    .file_index = one ? one->flags : 0 };
		}
		TRY(turn_ring(&helper, now));
		if (!given)
			__atomic_store_n(&get_positions(map)->cq_head, get_positions(map)->cq_tail, __ATOMIC_RELEASE);
		TRY(interrupt_check());
	}
	return 0;
}

static int check_places(const UringEntry *record, const struct io_uring_params *params)
{
	if (params->sq_entries != record->sq_entries || params->cq_entries != record->cq_entries ||
	    params->cq_off.cqes != record->cqes_offset ||
	    (record->array.len && params->sq_off.array != record->array_offset) ||
	    params->sq_off.head != offsetof(struct uring_rings, sq_head) ||
	    params->sq_off.tail != offsetof(struct uring_rings, sq_tail) ||
	    params->cq_off.head != offsetof(struct uring_rings, cq_head) ||
	    params->cq_off.tail != offsetof(struct uring_rings, cq_tail) ||
	    params->cq_off.flags != offsetof(struct uring_rings, cq_flags))
		return refuse(EOPNOTSUPP, "this kernel lays out the memory of an io_uring in another way than the one "
					  "where it was saved, and the program knows that one");
	return 0;
}

static int setup_ring(struct restore *r, const UringEntry *record, struct uring_map *map)
{
	struct io_uring_params *params = &map->params;

	*params = (struct io_uring_params){ .flags = record->setup & ~(uint32_t)SETUP_AT_ONCE,
					    .cq_entries = record->cq_entries };
	if (record->setup & IORING_SETUP_CQSIZE || record->cq_entries != 2 * record->sq_entries)
		params->flags |= IORING_SETUP_CQSIZE;
	if (uring_is_of_one(record)) /* whoever enables it will be the one */
		params->flags |= IORING_SETUP_R_DISABLED;
	if (uring_is_polled(record)) {
		TRY(uring_setup_polled(r, record, params, &map->fd));
	} else {
		map->fd = (int)syscall(SYS_io_uring_setup, record->sq_entries, params);
		if (map->fd < 0)
			return fail_errno("making an io_uring (setup 0x%x)", record->setup);
	}
	TRY(check_places(record, params));
	return map_as_recorded(record, map);
}

/* Who is told when there is something to read (epoll) asks once, before the content is in place: so one seems to be
 * unread until then. */
static void show_unread(const UringEntry *record, struct uring_rings *at)
{
	if (record->cq_head != record->cq_tail || record->n_overflow)
		__atomic_store_n(&at->cq_head, at->cq_tail - 1, __ATOMIC_RELEASE);
}

int uring_create(struct restore *r, struct file *f)
{
	const UringEntry *record = f->entry->uring;
	AUTO(destroy_map) struct uring_map map = { .fd = -1 };
	const struct uring_turns turns = uring_turns_of(record);

	TRY(setup_ring(r, record, &map));
	TRY(uring_register(r, f, map.fd));
	if (!uring_is_of_one(record)) {
		fill_requests(record, &map, 0);
		TRY(turn_ring(&map, turns.both));
		fill_requests(record, &map, IOSQE_CQE_SKIP_SUCCESS);
		TRY(turn_ring(&map, turns.taken));
		TRY(send_completions(&map, NULL, turns.completed));
	}
	show_unread(record, get_positions(&map));
	TRY(file_apply_flags(map.fd, record->flags, record->fown));
	f->fd = TAKE_FD(map.fd);
	return 0;
}

/* Where the kernel is, it says itself. Those that wait are made later, and provided: those about buffers. */
static int check_positions(const UringEntry *record, const struct uring_rings *at, uint32_t provided)
{
	const uint32_t sq_head = record->sq_head - (uint32_t)record->n_requests - provided;
	const uint32_t cq_tail = record->cq_tail - provided;

	if (at->sq_head == sq_head && at->cq_tail == cq_tail)
		return 0;
	return fail(EIO, "an io_uring is at %u and %u, not at %u and %u", at->sq_head, at->cq_tail, sq_head, cq_tail);
}

/* The ring is full, so what comes now must wait. */
static int let_wait(const UringEntry *record, const struct uring_map *map)
{
	if (!record->n_overflow)
		return 0;
	__atomic_store_n(&get_positions(map)->cq_head, record->cq_tail - record->cq_entries, __ATOMIC_RELEASE);
	return send_completions(map, (const UringOverflow *const *)record->overflow, record->n_overflow);
}

int uring_settle(struct restore *r, struct file *f)
{
	const UringEntry *record = f->entry->uring;
	struct uring_map map = { .fd = -1 };
	struct uring_rings *shared;
	int error;

	TRY(file_get_fd(r, f, &map.fd));
	error = map_as_recorded(record, &map);
	if (error == 0)
		error = check_positions(record, get_positions(&map), uring_count_provided(record));
	if (error == 0)
		error = uring_settle_provided(r, f, map.fd, (void *)map.rings);
	if (error == 0)
		error = check_positions(record, get_positions(&map), 0);
	if (error == 0)
		error = let_wait(record, &map);
	if (error == 0)
		error = uring_register_eventfd(r, f, map.fd);
	if (error == 0) {
		shared = (void *)map.rings;
		memcpy(map.sqes, record->sqes.data, record->sqes.len);
		memcpy(map.rings + record->cqes_offset, record->cqes.data, record->cqes.len);
		if (record->array.len)
			memcpy(map.rings + record->array_offset, record->array.data, record->array.len);
		shared->sq_dropped = record->sq_dropped;
		shared->cq_flags = record->cq_flags;
		shared->cq_overflow = record->cq_overflow;
		shared->cq_head = record->cq_head;
		/* What waits is not taken by a thread of the kernel, but made by the program's. */
		if (!uring_is_polled(record))
			__atomic_store_n(&shared->sq_tail, record->sq_tail, __ATOMIC_RELEASE);
	}
	unmap_ring(&map);
	file_put(r, f);
	return error;
}
