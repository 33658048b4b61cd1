/* SPDX-License-Identifier: GPL-2.0-only */
/* FUSE file systems that the tree sees, before it is stopped. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct dump;

/* Those that this process sees (proc is /proc/PID) count as well. Whether there are any. */
bool served_look(const struct dump *d, int proc);
/* One of them is of this device. */
bool served_is_on(const struct dump *d, dev_t dev);
/* Before anything stands still: what the kernel has of their files and they have not, they get now. Refuses those that
 * somebody of the tree serves, and that cannot be saved. */
int served_prepare(const struct dump *d);
