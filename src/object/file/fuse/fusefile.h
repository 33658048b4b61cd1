/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs and mapped files of a FUSE file system that is served in the tree. */
#pragma once

#include <stdint.h>

struct dump;
struct task;

/* By a link in /proc/PID. ret_open: how the kernel knows it, 0: it is a directory, which is not open; ret_id: it has
 * this record already, else 0. */
int file_dump_served(const struct dump *d, const struct task *task, const char *name, uint64_t *ret_open,
		     uint32_t *ret_id);
