/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small images of a directory are written by another thread, while their makers go on: a file costs three system calls,
 * and a tree of many processes has thousands. They are kept in memory, to be looked at as they will be read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct write_behind;

struct write_behind *write_behind_create(int dir);
/* What waits is not written any more. Accepts NULL. */
void write_behind_destroy(struct write_behind **behind);
/* Takes over the data. */
void write_behind_add(struct write_behind *behind, const char *name, unsigned char *data, size_t size);
/* All that was added is written. Returns the first failure, which is reported. */
int write_behind_wait(struct write_behind *behind);
/* The image is to be removed: it is written, or never was there. */
int write_behind_forget(struct write_behind *behind, const char *name);
/* Another file of the directory. */
void write_behind_note(struct write_behind *behind, const char *name);
/* There is neither an image nor a noted file of this name: then nobody has to ask the kernel. */
bool write_behind_lacks(struct write_behind *behind, const char *name);
/* NULL: it was not small, or not written. Stays valid until the end. */
const unsigned char *write_behind_find(struct write_behind *behind, const char *name, size_t *ret_size);
