/* SPDX-License-Identifier: GPL-2.0-only */
/* Functions of ours inside namespaces of others. */
#pragma once

#include <sys/types.h>

/*
 * Opens a path as seen by the process behind /proc/PID: absolute, below its root directory and nowhere else, links
 * resolved there. Flags as for open(2), O_CLOEXEC is added. Returns -errno, not logged.
 */
int namespace_open_path(int proc, const char *path, int flags, mode_t mode);
