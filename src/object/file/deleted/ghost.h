/* SPDX-License-Identifier: GPL-2.0-only */
/* Deleted files, dump: the content that only open descriptors keep alive goes into ghost-file-*.img, holes stay holes.
 */
#pragma once

#include <stdint.h>

struct dump;
struct open_file;

/* The content of a deleted file into its image. */
int ghost_dump(const struct dump *d, const struct open_file *of, uint32_t id);
