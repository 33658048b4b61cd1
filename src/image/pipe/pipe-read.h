/* SPDX-License-Identifier: GPL-2.0-only */
/* A stream on its way in. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct pipe_pages;
struct pipe_store;
struct meter;
struct store;

/*
 * Exactly size bytes, by one thread at a time. Each byte is read once, but those that came early; what is passed over
 * is kept until it is read.
 */
int pipe_pages_read(struct pipe_pages *pages, void *to, size_t size, uint64_t offset);
/* Reads on to the commit mark. Without it nothing of all this may become true. */
int store_pipe_read_rest(struct store *store);
/* Everything into a directory: the inventory comes last, after the commit mark. */
int store_pipe_unpack(struct store *store, int dir, struct meter *meter);

/* All up to the mark that the records are complete. */
int pipe_read_records(struct pipe_store *pipe);
