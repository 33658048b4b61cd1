/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in pipes and fifos: pipes-data.img, fifo-data.img. And the openings of one of them, to be made together. */
#pragma once

#include "image/image.h"
#include "object/file/file.h"

extern const struct file_kind pipe_kind, fifo_kind;

/* All openings of one pipe or fifo, in a restore. */
struct pipe_group {
	uint32_t pipe_id;
	size_t n, capacity;
	struct file **files;
	bool created;
};

/* Dump: content and capacity of the pipe, once for each; of->fd must be readable. */
int pipe_dump_content(struct dump *d, const struct open_file *of, void **slot, enum image_id id);
/* Dump: completes the image. */
int pipe_finish_content(void **slot);
void pipe_end_content(void **slot);

/* Restore: reads the image into the slot. */
int pipe_load_content(const struct restore *r, void **slot, enum image_id id);
/* Restore: one more opening; returns its group. */
struct pipe_group *pipe_join_group(const struct restore *r, void **slot, uint32_t pipe_id, struct file *f);
/* Restore: sets the capacity and writes what was inside. */
int pipe_fill(void **slot, uint32_t pipe_id, int fd);
/* Restore: another opening of the same pipe, with the given flags. */
int pipe_reopen(int fd, uint32_t flags, int *ret_fd);
void pipe_clean(void **slot);
