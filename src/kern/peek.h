/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Reading the kernel's own memory, for what it tells in no other way: by a BPF program of ten instructions that copies
 * bytes from an address, and faults on none. Wants CAP_BPF and CAP_PERFMON, and a kernel that is not locked down.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct peek;

/* -errno, not logged: -EPERM without the capabilities. */
int peek_open(struct peek **ret);
void peek_close(struct peek **peek);

/* -EFAULT, not logged: nothing is at that address. What it reads may change meanwhile. */
int peek_read(struct peek *peek, uint64_t address, void *to, size_t size);
/* The address of the task_struct of the caller; 0: it cannot be told. */
uint64_t peek_current(struct peek *peek);
