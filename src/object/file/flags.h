/* SPDX-License-Identifier: GPL-2.0-only */
/* What every open file has: flags that may be changed later, the owner of its signals. */
#pragma once

#include "fown.pb-c.h"

struct dump;
struct file;
struct open_file;
struct restore;

/* The owner of signals: F_GETOWN_EX and friends into owner (initialised). */
int file_read_owner(const struct dump *d, int fd, FownEntry *owner);
/* The same of a file that we have only the name of. */
int file_view_owner(const struct dump *d, const struct open_file *of, FownEntry *owner);
int file_apply_owner(const struct restore *r, int fd, const FownEntry *owner);
/* Restore: calls make() as the user whose file it is: some objects count against the limits of who makes them. Returns
   its result, a descriptor or -errno, not logged. */
int file_make_as_user(const struct restore *r, const struct file *f, int (*make)(const struct file *f));
