/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The open files behind the mappings of a process, and its program: addresses of struct file in the kernel's memory, by
 * a BPF iterator (task_vma, Linux 6.1). Two mappings of the same inode may be of different ones.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/vector.h"

struct mapped_file {
	uint64_t start; /* of the mapping */
	uint64_t file, program;
};

typedef VECTOR(struct mapped_file) mapped_file_list;

/* Of all mappings; replaces what the list had. -errno, not logged: the kernel cannot do that, or we may not. */
int mapped_files_read(pid_t pid, mapped_file_list *ret);
