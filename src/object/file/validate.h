/* SPDX-License-Identifier: GPL-2.0-only */
/* Is a file that is opened again still the one that was open? */
#pragma once

#include <stdint.h>

#include "regfile.pb-c.h"

struct options;

/* The build id (GNU note) of an ELF file: length in bytes, 0 if it has none. fd is readable or O_PATH. */
#define BUILD_ID_MAX 64

int validate_read_build_id(int fd, uint8_t id[BUILD_ID_MAX]);
/* Is the open file still the one of the record? Size, permission bits, build id. */
int validate_file(const struct options *options, const RegFileEntry *record, int fd);
