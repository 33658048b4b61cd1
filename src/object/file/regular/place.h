/* SPDX-License-Identifier: GPL-2.0-only */
/* How far a program has come in reading a directory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "object/file/file.h"

/* Whether it has read a part, of a file system that lists files as they were made. */
bool place_is_worth_a_look(const struct open_file *of);

/* A hash of the names that it would still read from this position on, whatever their order. */
int place_read(int dir, off_t position, uint64_t *ret_ahead);

/* Moves the descriptor to where just these names follow. A warning if that is nowhere. */
void place_find(int dir, off_t position, uint64_t ahead);
