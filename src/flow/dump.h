/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of a dump. */
#pragma once

#include "options/options.h"

/*
 * Saves the tree below options->pid into options->images_dir_fd. Returns 0 or -errno; -ECANCELED if a post-dump action failed. The
 * tasks run on after any failure.
 */
int dump(const struct options *options);
