/* SPDX-License-Identifier: GPL-2.0-only */
/* Many restores of one checkpoint at once: restore --copies. */
#pragma once

#include "flow/restore.h"

/*
 * Loads the checkpoint, refuses what cannot be there several times, fills the memory that all copies share, and lets
 * `restore` make them side by side, each in a process of its own. All begin to run when all are complete; if one fails,
 * none is left.
 */
int restore_copies(const struct options *options, restore_t *restore, struct restored *ret);
