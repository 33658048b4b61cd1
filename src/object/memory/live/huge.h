/* SPDX-License-Identifier: GPL-2.0-only */
/* dump --live: before anything stands still, memory moves into huge pages, of which a copy is made in no time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct mappings;

/* May memory move at all here? */
bool memory_huge_is_allowed(void);
/* Of one task, with its mappings as smaps has told; what cannot be moved stays as it is. ret_moved: bytes. Fails
 * only if it is interrupted. */
int memory_move_to_huge(pid_t pid, int proc, const struct mappings *mappings, uint64_t *ret_moved);
