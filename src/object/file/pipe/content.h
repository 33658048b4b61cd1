/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in pipes and fifos. */
#pragma once

#include <stdint.h>

#include "image/image.h"

struct dump;
struct file;
struct open_file;
struct pipe_contents;
struct pipe_copies;
struct pipe_group;
struct restore;

/* Dump: content and capacity of the pipe, once for each; of->fd must be readable. */
int pipe_dump_content(struct dump *d, const struct open_file *of, struct pipe_copies *copies, enum image_id id);
/* Dump: completes the image. */
int pipe_finish_content(struct pipe_copies *copies);
void pipe_copies_done(void *copies);

/* Restore: reads the image. */
int pipe_load_content(const struct restore *r, struct pipe_contents *contents, enum image_id id);
void pipe_contents_done(void *contents);
/* Restore: one more opening; returns its group. */
struct pipe_group *pipe_join_group(const struct restore *r, struct pipe_contents *contents, uint32_t pipe_id,
				   struct file *f);
/* Restore: whether pipe_fill() has anything to do. */
bool pipe_has_content(const struct pipe_contents *contents, uint32_t pipe_id);
/* Restore: sets the capacity and writes what was inside. */
int pipe_fill(const struct pipe_contents *contents, uint32_t pipe_id, int fd);
/* Restore: another opening of the same pipe, with the given flags. */
int pipe_reopen(int fd, uint32_t flags, int *ret_fd);
