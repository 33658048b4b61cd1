/* SPDX-License-Identifier: GPL-2.0-only */
/* Where images lie: a directory with its chain of parents, memory, or another process. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct store_ops;
struct pool;
struct store;

/* The directory is duplicated: dirfd stays the caller's. */
int store_open_dir(int dirfd, bool for_writing, struct store **ret);
/*
 * Small images of a directory may be written later, by another thread: all before the inventory is, or at the latest by
 * store_write_rest(), which tells of failures. They are kept in memory. So are the names of all files there: what is
 * made otherwise from now on is not seen.
 */
int store_write_behind(struct store *store);
int store_write_rest(struct store *store);
/* Images are read as they were written, where the other store, of the same directory, has kept them. It must outlive
 * this one. */
void store_read_written(struct store *store, const struct store *written);
/* The images of earlier dumps are closed with it, and all records that were read are gone. Accepts NULL; for AUTO(). */
void store_close(struct store **store);

/* The images that these were made on top of, opened at the first call and closed with the store. -ENOENT, unlogged:
 * none. */
int store_get_parent(struct store *store, struct store **ret);
/*
 * Makes a directory the parent, before anything is written: path is an absolute one or relative to this store, which
 * must be a directory or a stream. The parent is opened as by store_get_parent().
 */
int store_set_parent(struct store *store, const char *path, struct store **ret);
/* What lives as long as the store: every record read from it. */
struct pool *store_get_pool(struct store *store);
/* The directory, or -1 for stores without one. Stays the store's. */
int store_get_dir(const struct store *store);

/*
 * Calls visit for every file, in order of the names ("." and ".." left out), until one returns nonzero, and returns
 * that. Files of parents are not visited.
 */
int store_list(struct store *store, int (*visit)(void *arg, const char *name), void *arg);

/* 1 or 2 for images of version 1.0 or 1.1, told by the inventory; 0 = not known yet, then the reader accepts both. */
void store_set_version(struct store *store, int version);

struct store *store_create(const struct store_ops *ops, size_t size);

/* Makes the file of an image, which replaces any that was there. Returns a descriptor. */
int store_make_file(int dir, const char *name);
