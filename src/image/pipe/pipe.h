/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A store that is one stream of bytes: first all images but those of pages, then the pages, then a commit mark. So the
 * reader knows all records before the first page comes, and neither side keeps pages.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/image.h"
#include "image/store.h"

struct pipe_pages;

/*
 * The descriptor becomes the store's; images_dir, to which paths of parents are relative, stays the caller's. For
 * reading: returns when all records are there. grace: seconds without progress that are too many; 0: never.
 */
int store_open_pipe(int fd, int images_dir, bool for_writing, unsigned grace, struct store **ret);
bool store_is_pipe(const struct store *store);

/* Writing. */

/* There will be a pages image of this size: before store_pipe_send_records(). */
void store_pipe_announce(struct store *store, uint32_t pages_id, uint64_t size);
/* And these bytes of it, not many, are wanted before there are pages: they are sent twice. */
void store_pipe_announce_early(struct store *store, uint32_t pages_id, const void *data, size_t size, uint64_t offset);
/* All images that were written so far go out. */
int store_pipe_send_records(struct store *store);
/* Bytes of a pages image, from its start to its end without gaps. */
int store_pipe_send_pages(struct store *store, uint32_t pages_id, const void *data, size_t size, uint64_t offset);
int store_pipe_send_zeros(struct store *store, uint32_t pages_id, uint64_t size, uint64_t offset);
/* All pages were sent: whoever reads may believe it from now on. */
int store_pipe_commit(struct store *store);
/* The images as somebody who reads finds them, without the content of pages images. `written` must live longer. */
int store_pipe_view(struct store *written, struct store **ret);
/* Copies of all images but pages images into the directory: what a later dump wants to know of its parent. */
int store_pipe_keep(struct store *store, int dir);

/* Reading. */

/* The content of a pages image that is to come, or NULL if it is no such image. */
struct pipe_pages *image_get_pipe_pages(const struct image *image);
uint64_t pipe_pages_size(const struct pipe_pages *pages);
/*
 * Exactly size bytes, by one thread at a time. Each byte is read once, but those that came early; what is passed over
 * is kept until it is read.
 */
int pipe_pages_read(struct pipe_pages *pages, void *to, size_t size, uint64_t offset);
/* Reads on to the commit mark. Without it nothing of all this may become true. */
int store_pipe_read_rest(struct store *store);
/* Everything into a directory: the inventory comes last, after the commit mark. */
int store_pipe_unpack(struct store *store, int dir);
