/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in a file system of memory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dump;

/*
 * Files of a file system, an archive in the images. root: a descriptor of its root. locked: other mounts lie upon it,
 * which nobody in the namespace can take off either; what they hide is replaced by something empty.
 */
int content_dump(struct dump *d, int root, uint32_t dev, bool locked);

/* What was removed: archives of one entry. fd: readable; */
int content_dump_removed(struct dump *d, int fd, uint32_t mnt_id);
