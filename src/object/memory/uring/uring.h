/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of object/memory: io_uring_setup(2). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "object/memory/memory.h"
#include "uring.pb-c.h"

struct mapping;
struct plan;

/* --- dump --- */

bool uring_is_mapped(const struct mapping *mapping);
/* The record of memory that the program shares with an io_uring. */
int uring_dump_mapping(const struct dump *d, const struct task *task, const struct mapping *mapping, VmaEntry *vma);

/* --- restore --- */

/* Only one thread may use it, so that it must make all that others could do for it. */
/* A thread of the kernel takes its requests. */
bool uring_is_polled(const UringEntry *record);
bool uring_is_of_one(const UringEntry *record);
int uring_load(const struct restore *r, struct file *f);
int uring_link(const struct restore *r, struct file *f);
