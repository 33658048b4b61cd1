/* SPDX-License-Identifier: GPL-2.0-only */
/* The two processes that make one copy: the init of its pid namespace, and the criu that restores into it. */
#pragma once

#include "flow/copies/copies.h"

struct memory_template;

/* As the one that makes the copies knows it. */
struct birth {
	unsigned number, of; /* from 1 */
	pid_t init, worker;  /* 0: it was not made, or is gone */
	int ready;	     /* the inner pid of its root; or the end: it has failed */
	int gate;	     /* one byte: go; the end: all is taken back */
	pid_t inner, root;   /* its root, as it sees itself, and as we do */
	enum { NOT_BEGUN, UNDER_WAY, COMPLETE } state;
};

/* Makes both. others: those that were made before. */
int copy_begin(const struct options *options, restore_t *restore, const struct memory_template *template,
	       const struct birth *others, struct birth *birth);
/*
 * In a restore of one copy, whose tasks are complete: until those of all others are, too. -ECANCELED: one has failed.
 * root: as this process sees it.
 */
int copy_await_others(const struct copy *copy, pid_t root);
