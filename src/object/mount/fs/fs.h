/* SPDX-License-Identifier: GPL-2.0-only */
/* The file systems: which of them can be made again, and by which options. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "mnt.pb-c.h"

struct dump;
struct pool;

/* What may be done about a file system that is mounted somewhere. */
struct fs_kind {
	const char *name;
	uint32_t type;	 /* FSTYPE__ */
	bool anew;	 /* it can be made again from its options, and is then the right one */
	bool content;	 /* and what is in it is saved */
	bool pins;	 /* it has names of BPF objects, which are saved */
	bool apart;	 /* each time that it is made, it is another one */
	bool one;	 /* there is but one in the machine */
	bool each_user;	 /* or, since Linux 6.7, one in each user namespace */
	bool late;	 /* its options are paths in the namespace */
	bool served;	 /* and a process of the tree serves it */
	const char *add; /* an option that is not shown but belongs to it */
	const char *why; /* if not anew: what is the matter */
};

/* NULL if it is unknown. */
const struct fs_kind *fs_find(const char *name);
const struct fs_kind *fs_find_recorded(const MntEntry *entry);
/* --enable-fs: it is taken as it is. */
bool fs_is_enabled(const struct dump *d, const char *name);
/* The options that make it again, out of those that the kernel shows; in the pool. */
char *fs_options(const struct dump *d, const struct fs_kind *fs, const char *shown);
/* The same with another value of context=, if there is one. */
const char *fs_with_context(struct pool *pool, const char *options, const char *context);
