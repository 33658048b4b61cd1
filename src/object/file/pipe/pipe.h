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

/* What a dump has copied of all pipes, or of all fifos. Zeroed at first. */
struct pipe_copies {
	struct image *image;
	struct table *done; /* by inode */
	int copy[2];	    /* a pipe of ours that tee(2) copies into */
	int copy_size;
	char *bytes;
};

/* What a restore has to put into them. Zeroed at first. */
struct pipe_contents {
	struct table *contents, *groups; /* by pipe_id */
};

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
/* Restore: sets the capacity and writes what was inside. */
int pipe_fill(const struct pipe_contents *contents, uint32_t pipe_id, int fd);
/* Restore: another opening of the same pipe, with the given flags. */
int pipe_reopen(int fd, uint32_t flags, int *ret_fd);
