/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the layers of overlays are. */
#pragma once

struct dump;
struct mount;

/* Dump: where its paths begin, if that can be found: 1; else 0. */
int overlay_find_base(const struct dump *d, struct mount *mount);
/* Dump: whether mounts that came later hide its layers: 1, and they are recorded; else 0. */
int overlay_find_hidden(const struct dump *d, struct mount *mount);
/* Restore, in its namespace: goes there. */
int overlay_enter_base(const struct mount *mount);
