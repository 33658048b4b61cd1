/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of object/memory: rings of asynchronous I/O, io_setup(2). The address of the ring is the program's name for
 * it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mm.pb-c.h"
#include "vma.pb-c.h"

struct dump;
struct task;
struct mapping;
struct plan;

bool aio_is_ring(const struct mapping *mapping);
/* Reads the head of a ring of a stopped task and checks that it is one. */
struct aio_ring_head;
int aio_read_head(pid_t pid, const struct mapping *mapping, struct aio_ring_head *ret);
/* The records of the mapping and of the ring, with what the program has not yet read. Nothing is in flight any more. */
int aio_dump(const struct dump *d, struct task *task, const struct mapping *mapping, VmaEntry *vma);

/* Is there a record of the ring in this mapping, and can it be made? */
int aio_check(const MmEntry *mm, const VmaEntry *vma);
/* Steps that make the ring at its place, with its unread events. */
int aio_plan(const MmEntry *mm, const VmaEntry *vma, struct plan *plan);

/*
 * A request that is done at once and leaves an event: the plan makes an eventfd that can be read and asks whether it
 * can be. fd_slot gets the eventfd, which the plan must close. array: offset of n pointers to the request.
 */
#define AIO_BATCH 1024
struct aio_dummy {
	size_t iocb, array;
	unsigned fd_slot;
};

/* flags: of all its steps. */
void aio_plan_dummy(struct plan *plan, unsigned fd_slot, uint8_t flags, struct aio_dummy *ret);
/* The kernel shares out the slots of a ring to so many CPUs. */
unsigned aio_possible_cpus(void);
