/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of a pre-dump. */
#pragma once

struct listener;
struct options;
struct stats;

/*
 * Saves what of their memory can be left out by the next dump that has these images as its parent. The tasks stand
 * still only while it is found out which pages that are, and then run on, tracked. Returns 0 or -errno. The listener
 * and ret may be NULL.
 */
int pre_dump(const struct options *options, struct listener *listener, struct stats *ret);
