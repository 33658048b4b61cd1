/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of sockets that a restore has made where there was nothing: they go if it fails. */
#pragma once

struct restore;
struct stat;

/* It is in this directory, which is duplicated. */
void unix_made_note(struct restore *r, int dir, const char *name, const struct stat *file);
/* The restore has come to its end: they stay. */
void unix_made_keep(struct restore *r);
/* Those that were not kept, as far as they are still the same. */
void unix_made_remove(struct restore *r);
