/* SPDX-License-Identifier: GPL-2.0-only */
/* Where images lie: a directory with its chain of parents, memory, or another process. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct pool;
struct store;

/* The directory is duplicated: dirfd stays the caller's. */
int store_open_dir(int dirfd, bool for_writing, struct store **ret);
/*
 * Small images of a directory may be written later, by another thread: all before the inventory is, or at the latest by
 * store_write_rest(), which tells of failures. They are kept in memory.
 */
void store_write_behind(struct store *store);
int store_write_rest(struct store *store);
/* Images are read as they were written, where the other store, of the same directory, has kept them. It must outlive
 * this one. */
void store_read_written(struct store *store, const struct store *written);
/* The images of earlier dumps are closed with it, and all records that were read are gone. Accepts NULL; for AUTO(). */
void store_close(struct store **store);

/* Another process sends or takes the images (--stream), and listens in the directory, which stays the caller's. */
int store_open_streamer(int dirfd, bool for_writing, struct store **ret);
/* Pages images of its parents that are missing are at who takes what is written; nothing is wrong. */
bool store_has_pages_elsewhere(const struct store *store);
/* There is no way back in what was written. */
bool store_is_streamed(const struct store *store);
/* For surveys: what is written is thrown away, nothing can be read. */
struct store *store_create_nowhere(void);
/* For tests, fuzzers and tools: files in memory, writable. */
struct store *store_create_memory(void);
void store_add_file(struct store *store, const char *name, const void *data, size_t size);
/* What was written, or NULL; valid until the file is written again. */
const void *store_find_file(const struct store *store, const char *name, size_t *ret_size);
/*
 * A whole directory from one block of bytes: repeated { u8 length of the name, name, u32 little-endian size, content }.
 * Names that begin with "parent/" are in the parent, and so on. A block that ends too early gives a shorter last file.
 */
struct store *store_load_archive(const void *data, size_t size);

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

/* Images are written compressed (image/codec.h) from now on. */
void store_compress(struct store *store, int codec, int level);
/* And encrypted to the owners of these certificates; their key is written at once. */
int store_encrypt(struct store *store, const char *const *certificates, size_t n);
/* Reads encrypted images, also of parents, by a private key in this file. The text must live as long as the store. */
void store_decrypt_with(struct store *store, const char *private_key);
/* Reads the images that `writer`, which must live longer, encrypts. */
void store_borrow_key(struct store *store, const struct store *writer);

/* 1 or 2 for images of version 1.0 or 1.1, told by the inventory; 0 = not known yet, then the reader accepts both. */
void store_set_version(struct store *store, int version);
