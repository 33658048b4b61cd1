/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of a restore. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "options/options.h"

struct copy;
struct listener;

struct restored {
	pid_t root;    /* as we see it; 0: it was not made. Set after a failure, too */
	pid_t *copies; /* --copies: the roots of all, in their order; the caller's, to be freed */
	size_t n_copies;
};

/* A restore in this process, of one of several copies or (NULL) of the only one. */
typedef int restore_t(const struct options *options, struct listener *listener, const struct copy *copy,
		      struct restored *ret);

/* Brings the tree in options->images_dir_fd back. Returns 0 or -errno; no process is left behind after a failure. The
 * listener may be NULL. */
int restore_run(const struct options *options, struct listener *listener, struct restored *ret);
