/* SPDX-License-Identifier: GPL-2.0-only */
/* Stores whose images are compressed or encrypted: how a file of blocks stands for an image. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/image.h"

struct block_reader;
struct block_writer;
struct image;
struct store;

/* Is this image to be written in blocks? */
bool store_wants_blocks(const struct store *store, enum image_id id);
/* Where such an image is collected until it is complete. */
int store_make_temporary(struct image *image);
/* Puts it into an empty file. */
int store_finish_temporary(struct image *image, int file);
/* Reading: the file turned out to be one of blocks. */
int image_open_blocks(struct image *image);
/* Opens the file as one of blocks if it is one: for images that have no head of their own. */
int image_probe_blocks(struct image *image);
/* An image of blocks as a plain file, for those who need a descriptor. */
int image_unpack_blocks(struct image *image);

/*
 * Instead of image_fd(), for those who can write or read in blocks: the writer or reader if the image is one of blocks,
 * else NULL. Both stay the image's. When all is written: image_finish_blocks() before image_finish().
 */
int image_start_blocks(struct image *image, struct block_writer **ret);
int image_finish_blocks(struct image *image, uint64_t size);
struct block_reader *image_get_blocks(const struct image *image);

/* Images are written compressed (image/codec.h) from now on. */
void store_compress(struct store *store, int codec, int level);
/* And encrypted to the owners of these certificates; their key is written at once. */
int store_encrypt(struct store *store, const char *const *certificates, size_t n);
/* Reads encrypted images, also of parents, by a private key in this file. The text must live as long as the store. */
void store_decrypt_with(struct store *store, const char *private_key);
/* Reads the images that `writer`, which must live longer, encrypts. */
void store_borrow_key(struct store *store, const struct store *writer);
