/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages into a store that is one stream. */
#pragma once

#include <stdint.h>

#include "image/image.h"

struct page_mover;
struct page_sink;
struct store;

/* As page_sink_to_store(), for a store that is one stream (image/pipe/store-pipe.h): pages follow when they are asked
 * for. */
struct page_sink *page_sink_to_pipe(struct store *store, uint32_t first_pages_id);
/* Sends the pages of this object, if they were saved and not sent yet. */
int page_sink_pipe_send(struct page_sink *sink, struct page_mover *mover, enum image_id id, uint64_t number);
/* And those of all that are left. */
int page_sink_pipe_send_rest(struct page_sink *sink, struct page_mover *mover);
