/* SPDX-License-Identifier: GPL-2.0-only */
/* Which user namespace owns which of the others. */
#pragma once

#include <sys/types.h>

struct dump;
struct namespace;

/* Which owns which; those in which nobody lives are found. */
int user_collect_owners(const struct dump *d);
/* The same for one that is found later. */
int user_find_owner(const struct dump *d, struct namespace *ns);
/* A user namespace that only a file keeps, which is taken. */
int user_keep(const struct dump *d, ino_t inode, int *fd, struct namespace **ret);
int user_tell_between(const struct dump *d, const struct namespace *ns);
