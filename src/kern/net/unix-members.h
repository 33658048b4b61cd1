/* SPDX-License-Identifier: LGPL-2.1-only */
/* What the kernel's structures have of unix sockets, of all at once: calls tell some of it one by one, and some not. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/vector.h"
#include "kern/bpf/words.h"

#define UNIX_MEMBERS_MAX 32

struct unix_members {
	uint64_t ino;
	uint64_t values[UNIX_MEMBERS_MAX]; /* good to be compared with others; numbers are what they are */
};

typedef VECTOR(struct unix_members) unix_members_list;

/*
 * Adds all sockets of the network namespace of this thread that somebody has open, about so many: one BPF program sees
 * them all. Its objects are of the type unix_sock. ret_there: bit i is set if this kernel has members[i]. -errno, not
 * logged: CAP_BPF and CAP_PERFMON are missing, or the kernel does not tell of its structures.
 */
int unix_members_read(const struct bpf_word *members, size_t n, size_t expected, uint32_t *ret_there,
		      unix_members_list *ret);
