/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel knows of an io_uring, read from its own memory: system calls tell no more than half of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dump;
struct task;

/* The beginning of the memory that the program shares with the kernel: struct io_rings (io_uring/io_uring.c). */
struct uring_rings {
	uint32_t sq_head, sq_tail, cq_head, cq_tail;
	uint32_t sq_mask, cq_mask, sq_entries, cq_entries;
	uint32_t sq_dropped, sq_flags, cq_flags, cq_overflow;
};

/* A thread knows it by a number of its own: IORING_REGISTER_RING_FDS. */
#define URING_NUMBERS	  16 /* of a thread, IO_RINGFD_REG_MAX */
#define URING_NUMBERS_MAX 256
struct uring_number {
	int32_t tid; /* as we see it */
	uint32_t number;
};

struct uring_look {
	uint64_t ctx;
	uint64_t rings, sqes, array; /* 0: it has no such array */
	uint32_t setup;		     /* IORING_SETUP_* */
	uint32_t sq_entries, cq_entries;
	uint32_t sq_head, cq_tail; /* the kernel's own */
	uint32_t cqes_offset;	   /* from rings */
	struct uring_rings shared;
	bool drain_disabled;
	bool pins_memory;     /* the kernel holds pages of the program, to write to them */
	int32_t submitter;    /* tid as we see it; 0: any thread may use it */
	uint64_t under_way;   /* requests */
	uint64_t n_waiting;   /* of these wait for a file, or for a time */
	char requests[128];   /* what they are, as far as it can be told */
	const char *obstacle; /* what it has that cannot be saved; NULL: nothing */
	struct uring_number numbers[URING_NUMBERS_MAX];
	unsigned n_numbers;
	uint64_t next_overflow; /* the first of the completions that wait for room; 0: none */
};

/* fd: ours. Refuses if this kernel cannot be asked. Of a running program it is no more than a guess. */
int uring_look(const struct dump *d, int fd, struct uring_look *ret);
/* Content of the rings. */
int uring_look_at(const struct dump *d, uint64_t address, void *to, uint64_t size);

struct uring_waiting {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
};

/* The completion that waits at look->next_overflow, which goes on to the next one. */
int uring_look_waiting(const struct dump *d, struct uring_look *look, struct uring_waiting *ret);
