/* SPDX-License-Identifier: GPL-2.0-only */
/* --root for a tree that lives in the mount namespace of criu. */
#pragma once

struct restore;

int given_root_load(const struct restore *r);
/* A descriptor (O_PATH, not to be closed); -1: there is none. */
int given_root(const struct restore *r);
