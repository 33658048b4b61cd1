/* SPDX-License-Identifier: GPL-2.0-only */
/* A restore whose pids are taken here: in a pid namespace of its own, with a first process of ours. */
#pragma once

#include "flow/restore.h"

/*
 * Runs `restore` as the first process of a new pid namespace, in a mount namespace in which /proc shows it. When the
 * tasks run, that process becomes their init: it reaps orphans, and ends when the last of them has ended. The root of
 * the tree is told as we see it.
 */
int restore_in_new_pidns(const struct options *options, struct listener *listener, restore_t *restore,
			 struct restored *ret);
