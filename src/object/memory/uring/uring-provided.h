/* SPDX-License-Identifier: GPL-2.0-only */
/* Buffers that an io_uring chooses from, in groups. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "uring.pb-c.h"

struct dump;
struct file;
struct open_file;
struct plan;
struct restore;
struct thread;
struct uring_positions;

/* ctx: of the kernel. */
int uring_dump_provided(const struct dump *d, const struct open_file *of, uint64_t ctx, UringEntry *record);

int uring_load_provided(const UringEntry *record);
int uring_link_provided(const struct restore *r, const UringEntry *record);
/* By us: rings that are mapped. */
int uring_register_provided(const UringEntry *record, int fd);
/* By a thread of the process that has a ring in its memory. */
bool uring_has_provided_of(const UringEntry *record, const struct thread *thread);
void uring_plan_provided(const UringEntry *record, const struct thread *thread, unsigned slot, struct plan *plan);
/* How many requests it takes to bring all groups to where they were, and making them: at is of the ring, which we have
 * mapped. */
uint32_t uring_count_provided(const UringEntry *record);
int uring_settle_provided(struct restore *r, const struct file *f, int fd, struct uring_positions *at);
