/* SPDX-License-Identifier: GPL-2.0-only */
/* Credentials that requests of an io_uring may name (IORING_REGISTER_PERSONALITY). */
#pragma once

#include <stdint.h>

#include "uring.pb-c.h"

struct dump;
struct open_file;

/* ctx: of the kernel. */
int uring_dump_personalities(const struct dump *d, const struct open_file *of, uint64_t ctx, UringEntry *record);
int uring_load_personalities(const UringEntry *record);
/* While even one that is a single thread's belongs to nobody yet. */
int uring_register_personalities(const UringEntry *record, int fd);
