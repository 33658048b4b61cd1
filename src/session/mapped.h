/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths that are others here than where the dump was made: --map-path. */
#pragma once

struct restore;

/* The path where it is here; the same pointer if no option says otherwise. Else it lives in the pool of the restore. */
const char *mapped_path(const struct restore *r, const char *path);
