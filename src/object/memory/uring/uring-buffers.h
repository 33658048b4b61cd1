/* SPDX-License-Identifier: GPL-2.0-only */
/* Buffers that are registered with an io_uring: memory that its requests name by numbers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "uring.pb-c.h"

struct dump;
struct open_file;
struct plan;
struct restore;
struct thread;

/* ctx: of the kernel. */
int uring_dump_buffers(const struct dump *d, const struct open_file *of, uint64_t ctx, UringEntry *record);

int uring_load_buffers(const UringEntry *record);
int uring_link_buffers(const struct restore *r, const UringEntry *record);
/* By us: the table, with nothing in it. */
int uring_register_table(const UringEntry *record, int fd);
/* By a thread of the process whose memory they are. */
bool uring_has_buffers_of(const UringEntry *record, const struct thread *thread);
void uring_plan_buffers(const UringEntry *record, unsigned slot, struct plan *plan);
