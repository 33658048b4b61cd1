/* SPDX-License-Identifier: LGPL-2.1-only */
/* SO_INQ of stream sockets of the family unix (Linux 6.17): no call tells it. */
#pragma once

#include <stdint.h>

#include "base/vector.h"

typedef VECTOR(uint32_t) inode_list;

/*
 * Adds the inodes of all sockets of the network namespace of this thread that have it: one BPF program sees them all.
 * -errno, not logged: not known by this kernel, or CAP_BPF and CAP_PERFMON are missing.
 */
int unix_inq_read(inode_list *inodes);
