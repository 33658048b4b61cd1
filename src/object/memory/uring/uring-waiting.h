/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests that wait are saved, and made again at the end of the restore. */
#pragma once

#include <sys/types.h>

#include "uring.pb-c.h"

struct dump;
struct open_file;
struct uring_look;

/* The tree's number of a thread; 0: it is not in the tree. */
pid_t uring_find_vtid(const struct dump *d, pid_t tid);
int uring_dump_requests(const struct dump *d, const struct open_file *of, const struct uring_look *look,
			UringEntry *record);
int uring_load_requests(const UringEntry *record);
