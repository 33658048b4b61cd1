/* SPDX-License-Identifier: LGPL-2.1-only */
/* What the kernel's structures have of unix sockets, of all at once: no call tells some of it, and others tell it one
 * by one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/vector.h"

#define UNIX_MEMBERS_MAX 32

/* of: unix_sock, or sock within it; part: a member of the member, whose type that is. Up to 8 bytes are read. */
struct unix_member {
	const char *of, *member, *type, *part;
};

struct unix_members {
	uint64_t ino;
	uint64_t values[UNIX_MEMBERS_MAX]; /* good to be compared with others; numbers are what they are */
};

typedef VECTOR(struct unix_members) unix_members_list;

/*
 * Adds all sockets of the network namespace of this thread that somebody has open: one BPF program sees them all.
 * ret_there: bit i is set if this kernel has members[i]. -errno, not logged: CAP_BPF and CAP_PERFMON are missing, or
 * the kernel does not tell of its structures.
 */
int unix_members_read(const struct unix_member *members, size_t n, uint32_t *ret_there, unix_members_list *ret);
