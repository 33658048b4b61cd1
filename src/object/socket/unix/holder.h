/* SPDX-License-Identifier: GPL-2.0-only */
/* Which process outside of the tree has a unix socket. Found by a walk through /proc. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "fd 5 of process 312 (dbus-daemon)". False: nobody has it, and the text says so. */
bool unix_describe_holder(uint32_t ino, char *to, size_t capacity);
/* Where the file of the socket is now, as criu sees it, whatever name it was bound to. -errno, unlogged. */
int unix_find_path(uint32_t ino, char *to, size_t capacity);
