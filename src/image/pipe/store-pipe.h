/* SPDX-License-Identifier: GPL-2.0-only */
/* A store that is one stream of bytes (--stream=FD): what it is as a store. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image;
struct pipe_pages;
struct pipe_store;
struct store;
struct stream_chunk;

/*
 * The descriptor becomes the store's; images_dir, to which paths of parents are relative, stays the caller's. For
 * reading: returns when all records are there. grace: seconds without progress that are too many; 0: never.
 */
int store_open_pipe(int fd, int images_dir, bool for_writing, unsigned grace, struct store **ret);
bool store_is_pipe(const struct store *store);
/* The images as somebody who reads finds them, without the content of pages images. `written` must live longer. */
int store_pipe_view(struct store *written, struct store **ret);

/* The content of a pages image that is to come, or NULL if it is no such image. */
struct pipe_pages *image_get_pipe_pages(const struct image *image);
uint64_t pipe_pages_size(const struct pipe_pages *pages);

struct pipe_pages *pipe_find_pages(const struct pipe_store *pipe, uint32_t id);
struct pipe_pages *pipe_add_pages(struct pipe_store *pipe, uint32_t id, uint64_t size);
void pipe_add_early(struct pipe_pages *pages, const void *data, size_t size, uint64_t offset);
uint64_t pipe_sum(const struct stream_chunk *chunk, const void *payload, uint64_t before);
/* One of the images in memory becomes a file. */
int pipe_copy_record(const struct store *records, const char *name, int dir);

/* Pages images of its parents that are missing are at who takes what is written; nothing is wrong. */
bool store_has_pages_elsewhere(const struct store *store);
