/* SPDX-License-Identifier: GPL-2.0-only */
/* A stream on its way out. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct store;

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
/* Nothing is written to it any more: its descriptor is closed. */
void store_pipe_end(struct store *store);
/* Copies of all images but pages images into the directory: what a later dump wants to know of its parent. */
int store_pipe_keep(struct store *store, int dir);
