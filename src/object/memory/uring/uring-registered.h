/* SPDX-License-Identifier: GPL-2.0-only */
/* What is registered with an io_uring: files, an eventfd, and settings. */
#pragma once

#include <stdint.h>

#include "uring.pb-c.h"

struct dump;
struct file;
struct plan;
struct restore;

/* ctx: of the kernel. Files are found when all descriptors are known. */
int uring_dump_registered(const struct dump *d, uint64_t ctx, UringEntry *record);
int uring_finish_registered(const struct dump *d);

int uring_load_registered(const struct restore *r, const struct file *f);
int uring_link_registered(const struct restore *r, const struct file *f);
/* Right after it was made, when even one that is a single thread's belongs to nobody yet. */
int uring_register(struct restore *r, const struct file *f, int fd);
/* When it has done all that it had done: from now on it tells. By us, or by the thread in whose slot it is. */
int uring_register_eventfd(struct restore *r, const struct file *f, int fd);
int uring_plan_eventfd(struct restore *r, const struct file *f, unsigned slot, unsigned free_slot, struct plan *plan);
