/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of a dump. */
#pragma once

#include "base/findings.h"
#include "options/options.h"

/*
 * Saves the tree below options->pid into options->images_dir_fd. Returns 0 or -errno; -ECANCELED if a post-dump action
 * failed. The tasks run on after any failure. listener may be NULL.
 */
struct listener;
int dump_run(const struct options *options, struct listener *listener);

/*
 * Saves what of their memory can be left out by the next dump that has these images as its parent. The tasks stand
 * still only while it is found out which pages that are, and then run on, tracked. Returns 0 or -errno.
 */
int pre_dump(const struct options *options);

/* What is in the way of a dump, and what the tree has. Zeroed before, but for findings.quiet. */
struct dump_survey {
	struct findings findings;
	char root[17]; /* name of the root task */
	unsigned tasks, threads;
	size_t descriptors;
	uint64_t memory; /* bytes of private memory that would be saved, about */
	bool own_mounts; /* it lives in a mount namespace of its own, as containers do */
};

/*
 * A dump that only looks (session/survey.h): the tasks are stopped for the moment in which registers, seccomp filters
 * and the like are read, and run while their descriptors and mappings are looked at. Nothing is changed in them,
 * nothing is written. Returns 0 if a dump with these options should succeed, or -errno; findings tell why not.
 */
int dump_survey(const struct options *options, struct dump_survey *ret);

/* What all of them begin and end with. dump_end() is always called, whatever dump_begin() returned. */
struct dump;
int dump_begin(struct dump *d, const struct options *options);
int dump_load_plugins(struct dump *d);
void dump_end(struct dump *d);
/* Freezes the tree and looks at everything; the records are in memory, and what waits inside of objects is saved. */
int dump_look(struct dump *d);
/* --auto-dedup, when the images are complete: what they have anew goes from the parents. A failure is only logged. */
void dump_free_parents(const struct options *options);
