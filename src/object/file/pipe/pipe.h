/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in pipes and fifos: pipes-data.img, fifo-data.img. And the openings of one of them, to be made together. */
#pragma once

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
