/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of object/memory: what the record of a mapping says besides its kind. */
#pragma once

#include "vma.pb-c.h"

struct dump;
struct mapping;

/* The name that the program gave it, with "]" behind it; NULL: none. */
const char *mapping_name(const struct mapping *m);
/* Shared anonymous memory with a name. */
bool mapping_is_named_shared(const struct mapping *m);
/* Its name, and whether it is sealed. */
void mapping_dump(const struct dump *d, const struct mapping *m, VmaEntry *vma);
