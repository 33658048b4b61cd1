/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who bears the root task where criu itself may not go. A process that has entered another user namespace never comes
 * back. If the root shall be a child of criu's parent as well (--restore-sibling), only criu's own process can bear it:
 * that one becomes the midwife, and a child of it goes on as criu.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compel/restorer.h"

#define BIRTH_ENTRIES 10

struct midwife;
struct restore;

/* All that is done for the birth, as data: it is done by a process that may not share our memory. */
struct birth_order {
	struct {
		int fd, flag;
		const char *what; /* a constant text */
	} enter[BIRTH_ENTRIES];	  /* namespaces, in this order */
	size_t n;
	bool takes_login, takes_groups, makes_files;
	uint32_t loginuid;
	uint32_t uid, gid; /* whose the files are that come with new namespaces, as that user namespace sees them */
	struct restorer_birth birth;
	/* The answer. */
	int error;
	const char *failed; /* what could not be done, NULL: the birth itself */
	size_t n_groups;
	uint32_t groups[]; /* before a user namespace is entered, which is the last one */
};

size_t birth_order_size(size_t n_groups);
/* Does it, and takes out of the order what is entered. */
void birth_order_run(struct birth_order *order);
/* 0, -EEXIST (not logged), or the failure, logged. */
int birth_order_result(const struct birth_order *order);

/* NULL if there is none: made by namespaces_restore_begin(). */
struct midwife *midwife_of(const struct restore *r);
/* Has the order run by the midwife. What it says is with the caller afterwards. */
int midwife_run(struct midwife *midwife, struct birth_order *order);
