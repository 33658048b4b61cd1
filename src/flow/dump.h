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

/* What all of them begin and end with. dump_end() is always called, whatever dump_begin() returned. */
struct dump;
/* Freezes the tree and looks at everything; the records are in memory, and what waits inside of objects is saved. */
int dump_look(struct dump *d);
