/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of criu check --tree: a dump that only looks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/findings.h"

struct options;

/* What is in the way of a dump, and what the tree has. Zeroed before, but for findings.quiet. */
struct dump_survey {
	struct findings findings;
	char root[17]; /* name of the root task */
	unsigned tasks, threads;
	size_t descriptors;
	uint64_t memory;  /* bytes of private memory that would be saved, about */
	bool own_mounts;  /* it lives in a mount namespace of its own, as containers do */
	ino_t given_pids; /* a pid namespace whose first process is not in the tree; 0 = none */
};

/*
 * A dump that only looks (session/survey.h): the tasks are stopped for the moment in which registers, seccomp filters
 * and the like are read, and run while their descriptors and mappings are looked at. Nothing is changed in them,
 * nothing is written. Returns 0 if a dump with these options should succeed, or -errno; findings tell why not.
 */
int dump_survey(const struct options *options, struct dump_survey *ret);
