/* SPDX-License-Identifier: GPL-2.0-only */
/* What migrations have left here that were killed, or ended in doubt: for criu undo. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "flow/migrate/record.h"

struct options;
struct undone;

/* The note of a migration that this tree was left by; false: there is none. */
bool remains_find(pid_t root, struct left_note *ret);
/* All but that of trees which stand here still: these are only told of. With --discard also what others may ask for. */
int remains_clean(const struct options *options, struct undone *undone);
