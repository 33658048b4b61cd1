/* SPDX-License-Identifier: GPL-2.0-only */
/* criu undo: finds what a dump has left in a tree and around it, and takes it back. */
#pragma once

#include "base/vector.h"
#include "options/options.h"

struct undone {
	/* Zeroed before. */
	struct pool *pool;
	VECTOR(const char *) done; /* what was taken back, a sentence each */
	VECTOR(const char *) left; /* what was found and is not criu's to decide, with the way out */
};

/*
 * The tree options->pid, or without one the checkpoint in the images directory. What could not be taken back is a
 * failure; all the rest is tried all the same.
 */
int undo_run(const struct options *options, struct undone *ret);
void undo_done(struct undone *undone);
