/* SPDX-License-Identifier: GPL-2.0-only */
/* Opens files again by what their records tell. */
#pragma once

#include <stdint.h>

#include "regfile.pb-c.h"

struct mount_place;
struct restore;

/* Restore: opens the file with the flags of the record plus more_flags, checks it against the record. Returns a new
 * descriptor. */
int regular_open(struct restore *r, const RegFileEntry *record, uint32_t more_flags, int *ret_fd);
/* Restore: the root directory that the path of the record begins in, -1 for ours: mount_stay_begin() goes there. */
int regular_root(const struct restore *r, const RegFileEntry *record);
/* Restore: the same on the very mount that the file was open on. */
void regular_place(const struct restore *r, const RegFileEntry *record, struct mount_place *ret);
