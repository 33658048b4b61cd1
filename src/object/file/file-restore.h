/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore of open files: records, users, who makes them when, and the phases of their kinds. */
#pragma once

#include "fown.pb-c.h"

struct file;
struct file_set;
struct restore;

int file_restore_load(const struct restore *r); /* files.img; load of all */
int file_restore_link(const struct restore *r); /* fdinfo-*.img; link of all */
int file_restore_settle(struct restore *r);
int file_restore_resume(struct restore *r); /* the phase `resume` of all kinds */
/* criu verify: the phase `needs` of all files and of locks; all files, in the order of the image. */
int file_restore_needs(const struct restore *r);
/* restore --copies: the phase `copies` of all files and of locks. */
int file_restore_copies(const struct restore *r);
void file_restore_clean(struct restore *r);
/* Restore, at load or link: the signal owner is set when all tasks are there. Done by the core for records with a
 * member fown. */
int file_own_later(const struct restore *r, struct file *f, const FownEntry *owner);

/* NULL before restore/load and after restore/clean. */
struct file_set *file_set_of(const struct restore *r);
